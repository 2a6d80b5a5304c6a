/* A web process: what it knows of the session, and what it does; included by session.pml. */

inline begin_epoch(which, number) { /* the client learns where it stands, and asks again */
    if
    :: client_epoch != which -> client_epoch = which; shown = 0
    :: else
    fi;
    client_last = number
}

inline tell(i, r) {
    if
    :: live == i ->
        assert(!(shown & BIT(r))); /* each request is answered once in an epoch */
        shown = shown | BIT(r); open = open & ~BIT(r);
        client_last = seat[i].last
    :: else
    fi
}

inline deliver(i, r) { /* and note which answers a question may cross that is on its way */
    if
    :: !(seat[i].asked & BIT(r)) || seat[i].told -> seat[i].crossed = seat[i].crossed | BIT(r)
    :: else
    fi;
    tell(i, r)
}

inline fill(i) { /* read_history.lua: what comes after the last answer that was sent */
    do
    :: seat[i].epoch == kept.epoch && seat[i].last < kept.last ->
        seat[i].last++;
        if
        :: kept.mark[0] == ANSWERED && kept.number[0] == seat[i].last -> deliver(i, 0)
        :: kept.mark[1] == ANSWERED && kept.number[1] == seat[i].last -> deliver(i, 1)
        :: else
        fi
    :: else -> break
    od
}

inline leave(i) { /* what nobody reads any more is made alike, here and below: fewer states to look at */
    seat[i].held = false; seat[i].told = false; seat[i].epoch = 0; seat[i].last = 0; seat[i].moves = 0;
    seat[i].asked = 0; seat[i].crossed = 0; asks[i] = 0
}

inline evict(i) {
    leave(i);
    if
    :: live == i -> live = NOWHERE; at = NOWHERE
    :: else
    fi
}

inline hear(i) { /* the process listens to what is published to it */
    if
    :: heard[i] ? EVICTION, n, _, _ ->
        if
        :: seat[i].held && seat[i].moves < n -> evict(i)
        :: else
        fi;
#ifndef DEAF /* an eviction that comes before the reply of the resume that it follows */
        if
        :: reply[i].awaited && reply[i].evicted < n -> reply[i].evicted = n
        :: else
        fi
#endif
    :: heard[i] ? DELIVERY, e, n, r ->
        if
        :: seat[i].held && seat[i].epoch == e && n == seat[i].last + 1 -> seat[i].last = n; deliver(i, r)
        :: seat[i].held && seat[i].epoch == e && n > seat[i].last + 1 -> fill(i)
        :: else
        fi
    fi
}

inline sit(i) { /* the reply has come: the socket takes its seat, unless it lost it meanwhile */
    leave(i);
    reply[i].awaited = false;
    if
    :: reply[i].evicted > reply[i].moves && at == i -> at = NOWHERE
    :: reply[i].evicted > reply[i].moves && at != i
    :: reply[i].evicted <= reply[i].moves ->
        seat[i].held = true; seat[i].epoch = reply[i].epoch; seat[i].moves = reply[i].moves; seat[i].last = reply[i].last;
        if
        :: at == i ->
            live = i;
            asks[i] = open; /* the client asks again before it has read what it missed */
            if
            :: reply[i].whole -> seat[i].last = client_last; fill(i)
            :: else -> begin_epoch(seat[i].epoch, seat[i].last)
            fi
        :: else
        fi
    fi;
    reply[i].evicted = 0; reply[i].whole = false; reply[i].epoch = 0; reply[i].last = 0; reply[i].moves = 0
}

inline ask(i, r) { /* what a request means to the process that reads it: Repeat in services/web/v1/session.py */
    asks[i] = asks[i] & ~BIT(r);
    if
#ifndef UNCROSSED /* it is on its way while its answer is, the other way */
    :: seat[i].crossed & BIT(r) ->
        if
        :: !seat[i].told -> seat[i].crossed = seat[i].crossed & ~BIT(r)
        :: else
        fi
    :: !(seat[i].crossed & BIT(r)) && kept.mark[r] == UNASKED ->
#else
    :: kept.mark[r] == UNASKED ->
#endif
        renew(); kept.mark[r] = IN_FLIGHT; seat[i].asked = seat[i].asked | BIT(r)
    :: else ->
        if
        :: kept.mark[r] == ANSWERED && kept.number[r] <= seat[i].last && seat[i].epoch == kept.epoch -> tell(i, r)
        :: else -> seat[i].asked = seat[i].asked | BIT(r)
        fi
    fi
}

inline follow(i) { /* what the process does when it has touched its session */
    if
    :: kept.moves > seat[i].moves || kept.owner != i -> evict(i)
    :: else ->
        if
        :: seat[i].epoch != kept.epoch ->
            seat[i].epoch = kept.epoch; seat[i].last = kept.base; seat[i].told = true;
            if
            :: live == i -> begin_epoch(kept.epoch, kept.base); asks[i] = open
            :: else
            fi
        :: else
        fi;
        fill(i)
    fi
}

proctype Web(byte i) {
    byte e, n, r;
end:
    do
    :: atomic { hear(i); e = 0; n = 0; r = 0 }
    :: atomic { reply[i].awaited -> sit(i) }
    :: atomic { due[i] && seat[i].held -> due[i] = false; touch(i); follow(i) }
    :: atomic { live == i && (asks[i] & 1) -> ask(i, 0) }
    :: atomic { live == i && (asks[i] & 2) -> ask(i, 1) }
    od
}
