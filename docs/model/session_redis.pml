/* What a session is in Redis, and the scripts that change it; included by session.pml. */

#define NOWHERE 255
#define BIT(r) (1 << (r))
#define NUMBERS 6 /* answers that one session can be given here, through all its epochs */

mtype = { UNASKED, IN_FLIGHT, ANSWERED, DELIVERY, EVICTION };

typedef Session { byte epoch, term, base, last, moves, owner; mtype mark[2]; byte number[2] }; /* base: last of older epochs */
typedef Seat { bool held, told; byte epoch, last, moves, asked, crossed }; /* what a web process knows; requests as bits */
typedef Reply { bool awaited, whole; byte epoch, last, moves, evicted }; /* of resume.lua, until it is read */

Session kept, older; /* what Redis has, and what its disk had at some moment before */
Seat seat[WEBS];
Reply reply[WEBS];
chan heard[WEBS] = [2] of { mtype, byte, byte, byte };
byte asks[WEBS]; /* requests on their way over the client's socket */
bool due[WEBS];  /* whether the process shall touch its session */

byte term = 1;   /* one for each time that Redis began to serve */
byte epochs = 1; /* given so far */
byte given[2 * NUMBERS]; /* request that each offset was given to, and one */
bool lost;       /* a publication */

byte at = 0;     /* web process to which the client went last */
byte live = 0;   /* the one whose seat is that of the client's present socket */
byte client_epoch = 1, client_last;
byte open = 3;   /* requests without an answer */
byte shown;      /* those answered in this epoch */

inline copy(to, from) {
    to.epoch = from.epoch; to.term = from.term; to.base = from.base; to.last = from.last; to.moves = from.moves;
    to.owner = from.owner; to.mark[0] = from.mark[0]; to.mark[1] = from.mark[1];
    to.number[0] = from.number[0]; to.number[1] = from.number[1]
}

/* In each script that touches the session: one of an older term gets a new epoch. */
inline renew() {
    if
    :: kept.term != term -> kept.term = term; epochs++; kept.epoch = epochs; kept.base = kept.last
    :: else
    fi
}

inline publish(to, what, a, b, c) {
    if
    :: nfull(heard[to]) -> heard[to] ! what, a, b, c
    :: lost = true
    fi
}

inline resume(i) { /* resume.lua, and what the client says with it */
    at = i; live = NOWHERE; asks[i] = 0;
    renew();
    kept.moves++;
    if
    :: kept.owner != i -> publish(kept.owner, EVICTION, kept.moves, 0, 0)
    :: else
    fi;
    kept.owner = i;
    reply[i].awaited = true;
    reply[i].evicted = 0;
    reply[i].whole = (client_epoch == kept.epoch);
    reply[i].epoch = kept.epoch;
    reply[i].last = kept.last;
    reply[i].moves = kept.moves
}


inline touch(i) { /* touch.lua: whose session it is, after Redis lost or forgot something */
    renew();
    if
#ifdef STEALING /* of two that were given the same number of moves each takes it from the other */
    :: seat[i].moves >= kept.moves -> kept.moves = seat[i].moves; kept.owner = i
#else
    :: seat[i].moves > kept.moves -> kept.moves = seat[i].moves; kept.owner = i
#endif
    :: else
    fi
}

inline finish(r) { /* finish.lua: the answer gets its number, once */
    renew();
    kept.last++;
    kept.mark[r] = ANSWERED;
    kept.number[r] = kept.last;
    assert(!given[(kept.epoch - 1) * NUMBERS + kept.last]); /* no offset is given twice in an epoch */
    given[(kept.epoch - 1) * NUMBERS + kept.last] = true;
    publish(kept.owner, DELIVERY, kept.epoch, kept.last, r)
}

/* Computes what is asked, in any order and after any time. */
proctype Worker() {
    byte r;
end:
    do
    :: atomic { kept.mark[0] == IN_FLIGHT -> finish(0) }
    :: atomic { kept.mark[1] == IN_FLIGHT -> finish(1) }
    od
}

inline forget() {
    older.epoch = 0; older.term = 0; older.last = 0; older.moves = 0; older.owner = 0;
    older.mark[0] = 0; older.mark[1] = 0; older.number[0] = 0; older.number[1] = 0
}

/* Redis comes back as it was at some moment before, or does not fail. */
proctype Fault() {
    atomic { copy(older, kept) };
    if
    :: atomic { copy(kept, older); forget(); lost = true
#ifndef SAME_TERM /* nothing tells that it was away */
        ; term++
#endif
       }
    :: atomic { forget() }
    fi
}
