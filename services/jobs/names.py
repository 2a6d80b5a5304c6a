"""Every name in Redis, each with its type."""

import enum
from typing import NamedTuple


class Lane(enum.StrEnum):
    """Jobs of like cost share a lane, so that a flood of large numbers does not delay a small one."""

    QUICK = "quick"  # well under a millisecond each; many to a stream entry
    HEAVY = "heavy"  # anything that costs more; an entry of its own, computed in a process that can be killed
    PROOF = "proof"  # primes to be proven, seconds to minutes each; workers move them here once their tests were passed


# Every key has this tag, so that a cluster keeps them all in one slot, and a script may touch any of them.
# A script derives the name of a key from another one by putting what tells them apart behind a prefix that it was given.
KEYS = "{primes}"

GROUP = "workers"  # consumer group on all job streams
DEAD = f"{KEYS}:dead"  # stream: dead letters, {lane, jobs, reason, worker}, trimmed to about DEAD_LENGTH
DEAD_LENGTH = 1_000
HISTORY = 1_024  # answers that a session keeps for a client that comes back
# Bytes of these after which no more is read at once: as much as a client may leave unread, and as JSON they take more. So a client
# that is sent them is closed, and gets on with the next resume. All of them may take a hundred megabytes, as factors do.
HISTORY_BYTES = 1 << 20
KNOWN = f"{KEYS}:known"  # sorted set: digests of the questions with a kept answer, by the time (ms) of its keeping
KNOWN_LENGTH = 4_096  # kept answers: 2 MB of verdicts, 40 MB if each names a prime of 10,000 digits
PROOFS = 2_000  # runs in the lane of proofs; above, a client that wants another is told so: an hour of work or more waits there
QUESTION_TTL = 86_400  # seconds that a run can be joined, from its beginning and from its promotion: longer than either may take
ASKERS = 1_000  # jobs that may wait for one run: its answers are written in one step of about 10 ms; a later job starts another
# Hash {server: `run_id` of the Redis whose term it is, began: ms, made: sessions since, before the clock was there}; each start of
# Redis begins a term.
TERM = f"{KEYS}:term"

NOTHING = f"{KEYS}:nothing"  # never there: each beat of a process deletes it, which a Redis that takes no writes refuses


JOBS = f"{KEYS}:jobs:"  # prefix of the lanes' streams
ASKERS_OF = f"{KEYS}:askers:"  # prefix of the hashes of jobs that wait for runs


def stream(lane: Lane) -> str:
    """Stream: one entry a batch, {reply: web instance, jobs: MessagePack}; an entry is deleted when it is answered.

    A heavy one is a run: {reply, jobs: the first that asked, question: digest, turn}, and the jobs that wait are its askers. In the
    quick lane `known` is the answer (MessagePack) to the jobs beside it.

    Or a chunk of an upload: {reply: web instance, upload: id, chunk: MessagePack, turn: of a heavy one}.

    Heavy entries and proofs are not taken in the order of the stream, but by turns (`services/jobs/turn.py`).
    """
    return f"{JOBS}{lane}"


def turns(lane: Lane) -> str:
    """Sorted set: clients with entries that wait in a costly lane, by when their next one starts (µs of work that was served).

    This key and the next two exist while something waits. Scripts put them behind the stream's name (turns.lua).
    """
    return f"{stream(lane)}:turns"


def turns_of(lane: Lane, client: str) -> str:
    """Sorted set: entries of a client that wait in a costly lane, by when they start among its own."""
    return f"{turns(lane)}:{client}"


def served(lane: Lane) -> str:
    """Hash: `.` where a costly lane stands, CLIENT where one stands that has nothing waiting, `CLIENT .` where one stands among its
    own, `CLIENT FLOW` where a flow's last entry ends · `#` turns since it was tidied · `>` the entry after which one is looked for
    that waits for no turn.
    """
    return f"{stream(lane)}:served"


def question(digest: str) -> str:
    """Hash, by the digest of a costly question (`messages.digest`), with a time to live:

    `entry`: "LANE ID" of the run that will answer it · `so_far`: what is known meanwhile (MessagePack) · `answer`: what came of an
    earlier run (MessagePack) · `certificate`: the SHA-256 that this answer names.
    """
    return f"{KEYS}:question:{digest}"


def askers(lane: Lane, entry: str) -> str:
    """Hash: the jobs that wait for a run, asker() to MessagePack; it goes with the entry."""
    return f"{ASKERS_OF}{lane}:{entry}"


ATTEMPTS_TTL = 86_400  # seconds that a beginning of a computation is remembered: longer than any may take


def attempts(lane: Lane, entry: str) -> str:
    """Hash, with a time to live: the workers that began to compute a job of an entry after its first delivery, and the job's id
    (of the last one, where an entry has many). Who lives and stops the computation takes itself out.
    """
    return f"{KEYS}:attempts:{lane}:{entry}"


def asker(web: str, job: int) -> str:
    """A job in its web process' ledger, as a field among the askers of a run."""
    return f"{web} {job}"


PROMOTIONS = "primes:promotions"  # channel: MessagePack, a run has moved to the lane of proofs; to all web processes

# Sorted sets: "SHA256 BYTES" of the certificates that are kept, which somebody asked for and which nobody did, by the time (ms);
# some may have expired. They and the next key live as long as the certificate that was kept last.
CERTIFICATES_ASKED = f"{KEYS}:certificates:asked"
CERTIFICATES_UNASKED = f"{KEYS}:certificates:unasked"
CERTIFICATES_BYTES = f"{KEYS}:certificates:bytes"  # hash {asked, unasked: bytes of all in that set}
CERTIFICATES_FORMER = f"{KEYS}:certificates"  # sorted set: what the former release has in place of these; it goes in their time


def certificate(sha256: str) -> str:
    """Hash {primo, pari: zlib of the text; bytes: of both, and what is beside them} of a certificate, with a time to live."""
    return f"{KEYS}:certificate:{sha256}"


PARTS = f"{KEYS}:parts"  # sorted set: proofs of which parts wait, by whose turn is next

CHAINS = f"{KEYS}:chains"  # sorted set: digests of the numbers whose chains are kept, by the time (ms) of their keeping
CHAINS_LENGTH = 32  # chains kept: of 1,000 digits each takes some 100 KB
CHAIN_TTL = QUESTION_TTL  # seconds that a chain is kept: as long as its run may last


def parts(proof: str) -> str:
    """List: numbers of the parts of a proof that wait for whoever computes them, with a time to live. `proof` is WORKER:NUMBER,
    the worker that coordinates it and which of its proofs it is.
    """
    return f"{PARTS}:waiting:{proof}"


def payloads(proof: str) -> str:
    """Hash: the parts of that list (MessagePack) by their numbers, with the same time to live."""
    return f"{PARTS}:payloads:{proof}"


def chain(digest: str) -> str:
    """String: how far a number's proof in parts has come, compressed, with a time to live; by the SHA-256 of its decimal digits."""
    return f"{KEYS}:chain:{digest}"


PARTS_BELL = "primes:bell:parts"  # channel: an empty message says that parts wait, where none did before


def outcomes(worker: str) -> str:
    """Channel: what came of parts (MessagePack), for the worker that coordinates their proof."""
    return f"primes:outcomes:{worker}"


def bell(lane: Lane) -> str:
    """Channel: an empty message says that the lane has an entry that nobody was awake for. Quick entries need none: workers wait
    for them in Redis.
    """
    return f"primes:bell:{lane}"


def results(web: str) -> str:
    """Channel: answers (MessagePack) for the web process that holds their clients."""
    return f"primes:results:{web}"


def session(token: str) -> str:
    """Hash of a client's session, with a time to live:

    `owner`: web process that holds its socket · `moves`: when it was last resumed (ms), 0: never · `epoch`: ms of the hash's
    creation, in whose place the term's beginning (TERM) counts where that is later · `last`: number of the last answer
    · `ttl`: its lifetime (s), for workers of the former release · `?ID` (JSON text): of a request in flight its Mark, else the
    number of the answer that the history holds for it.
    """
    return f"{KEYS}:session:{token}"


def history(token: str) -> str:
    """List: a session's last HISTORY answers (MessagePack of request and answer), the last one's number is `last` of the session,
    with a time to live.
    """
    return f"{KEYS}:session:{token}:history"


def deliveries(web: str) -> str:
    """Channel: answers (MessagePack) to sessions whose sockets this web process holds."""
    return f"primes:deliveries:{web}"


def evictions(web: str) -> str:
    """Channel: "TOKEN MOVES", a session that this web process held until it was resumed then."""
    return f"primes:evictions:{web}"


CANCELLATIONS = "primes:cancellations"  # channel: "LANE ID ID …", entries that were deleted unanswered; stop computing them


class Mark(NamedTuple):
    """What stands in a session's hash for a request in flight: where its job is. Text, fields parted by blanks."""

    lane: Lane
    entry: str  # id in the lane's stream
    reply_to: str  # web process whose ledger holds the job
    job: int  # its id there
    started: int = 0  # ms since 1970, once it has run for a second

    @classmethod
    def read(cls, text: bytes) -> "Mark | int":
        """The fields of a mark, or the number of the answer that took its place. Raises ValueError."""
        if text.isdigit():
            return int(text)
        lane, entry, reply_to, job, *started = text.decode().split()
        return cls(Lane(lane), entry, reply_to, int(job), *map(int, started))


UPLOADS = f"{KEYS}:uploads"  # sorted set: ids of all uploads by the time (ms) of their beginning; some may have expired


# Hash, for a second: bytes that all uploads took at the last look (field ''), and those of each client, and what changed since.
UPLOADS_TAKEN = f"{KEYS}:shares"


def upload(id: str) -> str:
    """Hash of an upload, with a time to live:

    `state`: reading, read, interrupted · `owner`: web process that reads it · `seen`: when that last said so, ms · `ttl`: seconds
    · `key`: name of its idempotency key · `chunks`: how many were queued · `stored`: how many have an outcome · `bytes`: their size
    · `client`: whose it is (services/web/ask/client.py)
    · once it is read `lines`, `answers`, `fingerprint` (SHA-256 of the text)
    · NUMBER: that chunk's outcome (`services/jobs/chunks.py`).
    """
    return f"{KEYS}:upload:{id}"


def upload_key(digest: str) -> str:
    """Hash {id} of the upload that an idempotency key (its SHA-256) belongs to, with the time to live of that upload."""
    return f"{KEYS}:upload:key:{digest}"


def notices(web: str) -> str:
    """Channel: "ID NUMBER", a chunk of an upload that this web process takes has its outcome; "ID", it was deleted."""
    return f"primes:notices:{web}"


def pulse(instance: str) -> str:
    """Channel: a process publishes a growing number here and listens for it."""
    return f"primes:pulse:{instance}"
