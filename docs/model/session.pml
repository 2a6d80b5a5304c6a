/* Session, resume, eviction, epoch: one client with two requests, that moves between web processes.
   Each atomic block is one Redis script, or what a process does with one reply or publication. Publications come in order
   over one connection, replies over another: an eviction may overtake the resume's own reply. README.md says what is left out. */

#define WEBS 2
#define MOVES 2 /* by its own wish, beside those to which evictions force it */
#define HOLDERS (seat[0].held + seat[1].held)
#include "session_redis.pml"
#include "session_web.pml"

/* Goes elsewhere when it likes, also while it is being resumed; comes back when its socket is closed. */
proctype Client() {
    byte moves = MOVES, i;
end:
    do
    :: moves > 0 -> moves = 0 /* stays where it is */
    :: atomic { moves > 0 || at == NOWHERE ->
        select(i : 0 .. WEBS - 1);
        !reply[i].awaited ->
        if
        :: moves > 0 -> moves--
        :: else
        fi;
        if
        :: live != NOWHERE -> leave(live) /* the process hears that the socket is closed */
        :: true
        fi;
        resume(i); i = 0 }
    od
}

init {
    byte i, rounds;
    atomic {
        kept.epoch = 1; kept.term = 1; kept.mark[0] = UNASKED; kept.mark[1] = UNASKED;
        seat[0].held = true; seat[0].epoch = 1; asks[0] = open;
        for (i : 0 .. WEBS - 1) { run Web(i) }
        run Worker(); run Fault(); run Client(); i = 0
    }
    do
    :: atomic { timeout && rounds < 3 -> /* nothing more happens by itself: the second is over, and all look */
        assert(rounds > 0 || lost || HOLDERS == 1);
        for (i : 0 .. WEBS - 1) { due[i] = seat[i].held }
        rounds++; i = 0 }
    :: atomic { timeout && rounds == 3 ->
        assert(HOLDERS == 1 && seat[at].held && live == at && kept.owner == at); /* one holder at last, where its client is */
        assert(open == 0); /* and each request has its answer */
        break }
    od
}
