/* Lease, takeover, finish: one question, two sessions' requests that may share its run, two workers.
   Each atomic block is one Redis script. A worker may stand still before each of them for as long as the others like,
   so a lease may run out at any time. README.md says what is left out. */

#define RUNS 4   /* entries ever: each of two requests begins one at most, and each of those is moved to the proofs once */
#define NONE 255 /* no entry */
#define ASKED(r) (1 << (r))

mtype = { UNASKED, IN_FLIGHT, ANSWERED };

byte question = NONE;  /* entry of the run that may be joined */
byte next;             /* id of the next entry: no id is given twice */
bool present[RUNS];    /* whether the stream has the entry */
bool proves[RUNS];     /* it is in the lane of proofs */
byte holder[RUNS];     /* consumer that claimed it last, 0 before */
byte askers[RUNS];     /* requests that wait for it, as bits */
mtype mark[2] = UNASKED;
byte at[2];            /* entry that a mark names */
byte answers[2];       /* how many answers to a request were numbered and kept */

#define LED_TO(r) (mark[r] != IN_FLIGHT || (present[at[r]] && (askers[at[r]] & ASKED(r))))
#define WANTED(e) (!present[e] || askers[e])

ltl answered_once { [] (answers[0] <= 1 && answers[1] <= 1) }
ltl none_forgotten { [] (LED_TO(0) && LED_TO(1)) }
ltl nothing_unwanted { [] (WANTED(0) && WANTED(1) && WANTED(2) && WANTED(3)) }

inline begin(waiting, proof) {
    present[next] = true; proves[next] = proof; askers[next] = waiting;
    question = next; next++
}

inline delete(entry) { /* what nobody reads any more is made alike, here and below: fewer states */
    present[entry] = false; askers[entry] = 0; holder[entry] = 0
}

/* finish.lua: who replaces the mark has answered. */
inline answer(r) {
    if
#ifdef UNMARKED /* an answer counts whatever the mark says */
    :: true ->
#else
    :: mark[r] == IN_FLIGHT ->
#endif
        mark[r] = ANSWERED; at[r] = 0;
        answers[r]++
    :: else
    fi
}

/* Asks once, at any time (enqueue.lua), and may give up (finish.lua with leave_run.lua). */
active [2] proctype Client() {
    byte r = _pid, entry;
    atomic {
        if
        :: question != NONE && present[question] -> askers[question] = askers[question] | ASKED(r)
        :: else -> begin(ASKED(r), false)
        fi;
        at[r] = question;
        mark[r] = IN_FLIGHT
    }
    atomic {
        mark[r] == IN_FLIGHT ->
        entry = at[r];
        answer(r);
        askers[entry] = askers[entry] & ~ASKED(r);
        if
        :: askers[entry] == 0 -> /* nobody waits any more: the run goes, and the question leads to none */
            if
            :: question == entry -> question = NONE
            :: else
            fi;
            delete(entry)
        :: else
        fi;
        entry = 0
    }
}

/* promote.lua: moves a run, with those who wait for it, to the lane of proofs, if it is the worker's own. */
inline promote(entry, me) {
    if
#ifdef UNFENCED /* whoever had it once moves it */
    :: next < RUNS ->
#else
    :: present[entry] && holder[entry] == me ->
#endif
        for (r : 0 .. 1) {
            if
            :: (askers[entry] & ASKED(r)) && mark[r] == IN_FLIGHT -> at[r] = next
            :: else
            fi
        }
        begin(askers[entry], true);
        delete(entry)
    :: else
    fi;
    r = 0; entry = 0
}

/* close.lua: nobody joins from here on; the run's askers are told to the worker. */
inline close(entry) {
#ifndef AJAR /* the question still leads to a run that is being ended */
    if
    :: question == entry -> question = NONE
    :: else
    fi;
#endif
    waiting = askers[entry]
}

proctype Worker(byte me) {
    byte entry, waiting, r;
end: /* it may wait for ever when nothing is left to do */
    atomic { /* a claim, or a takeover from whoever stood still past its lease */
        select(entry : 0 .. RUNS - 1);
        present[entry] && holder[entry] != me -> holder[entry] = me
    }
    if
    :: atomic { !proves[entry] -> promote(entry, me) }; goto end
    :: atomic { close(entry) }
    :: atomic { !present[entry] || holder[entry] != me -> entry = 0 }; goto end /* renew.lua found the lease lost */
    :: goto dead
    fi;
#ifdef HASTY /* acknowledged before it is answered */
    atomic { delete(entry) };
#endif
    if
    :: atomic { /* finish.lua: answered, acknowledged, deleted */
            for (r : 0 .. 1) {
                if
                :: waiting & ASKED(r) -> answer(r)
                :: else
                fi
            }
            delete(entry);
            r = 0; waiting = 0; entry = 0
        }; goto end
    :: goto dead
    fi;
dead: /* comes back once, as another consumer */
    if
    :: atomic { me <= 2 -> me = me + 2; waiting = 0; entry = 0 }; goto end
    :: else
    fi
}

init {
    atomic { run Worker(1); run Worker(2) }
}
