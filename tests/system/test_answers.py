"""Every kind of number through port 80, nginx, web, Redis, a worker, and back."""

import asyncio
import json
import random
from collections.abc import Sequence

import gmpy2

from tests.integration.plain_clients import INVALID, NOT_PRIME, PRIME, Question, Tally, ask, ask_all, expect, question
from tests.integration.waiting import wait_until
from tests.system.stack import WEBS, Stack

SIEVED = 100_000
RANDOM = 10_000
SOCKETS = 200

CARMICHAEL = (
    561,
    1105,
    1729,
    2465,
    2821,
    6601,
    8911,
    10585,
    15841,
    29341,
    825265,
    321197185,
    5394826801,
    232250619601,
    9746347772161,
)
SLOW = 2**9941 - 1  # a Mersenne prime of 2,993 digits: seconds of work


def slow_composites(count: int) -> list[int]:
    """Products of two numbers without small factors, of 9,900 digits: each is a run of its own, and takes seconds."""
    draw, small = random.Random(), gmpy2.primorial(2**16)
    factors = (n for n in iter(lambda: draw.randrange(10**4949, 10**4950) | 1, None) if gmpy2.gcd(n, small) == 1)
    return [next(factors) * next(factors) for _ in range(count)]


def sieve(limit: int) -> list[bool]:
    """Eratosthenes' table of which n < limit are prime."""
    table = [False, False] + [True] * (limit - 2)
    for n in range(2, int(limit**0.5) + 1):
        if table[n]:
            table[n * n :: n] = [False] * len(range(n * n, limit, n))
    return table


def answers(stack: Stack, questions: Sequence[Question], clients: int) -> Tally:
    """What comes of the questions when they are dealt out to so many clients."""
    tally = ask_all((stack.socket, questions[i::clients]) for i in range(clients))
    print(tally)
    return tally


def test_every_integer_below_100_000_agrees_with_a_sieve(stack: Stack) -> None:
    questions = [expect(n, prime) for n, prime in enumerate(sieve(SIEVED))]
    assert answers(stack, questions, 20).clean


def test_10_000_random_64_bit_numbers_agree_with_a_second_engine(stack: Stack) -> None:
    chance = random.Random(20)
    assert answers(stack, [question(chance.getrandbits(64) | 1) for _ in range(RANDOM)], 20).clean


def test_squares_carmichael_numbers_and_neighbours_of_powers_of_two(stack: Stack) -> None:
    primes = [n for n, prime in enumerate(sieve(2_000)) if prime] + [2**31 - 1, 2**61 - 1, 10**24 + 7]
    questions = [expect(p * p, False) for p in primes]
    questions += [expect(n, False) for n in CARMICHAEL]
    questions += [question(n) for k in range(2, 400) for n in (2**k - 1, 2**k + 1)]
    assert answers(stack, questions, 10).clean


def test_the_plain_protocol_answers_as_the_document_has_it(stack: Stack) -> None:
    dialogue = [
        ("0", NOT_PRIME), ("1", NOT_PRIME), ("2", PRIME), ("3", PRIME), ("4", NOT_PRIME), ("-7", NOT_PRIME),
        ("007", PRIME), ("+7", PRIME), (" 7 ", PRIME), ("7\n", PRIME), ("1_3", PRIME),
        ("1000000000000000000000007", PRIME), ("1000000000000000000000009", NOT_PRIME),
        (str(SLOW), PRIME), ("9" * 3000, NOT_PRIME),
        ("", INVALID), ("seven", INVALID), ("7.0", INVALID), ("1e3", INVALID), ("0x7", INVALID), ("7 7", INVALID),
        ("\x007", INVALID),
        ("9" * 10_001, "Number too large: 10,001 digits came, at most 10,000 are taken"),
        ("0" * 20_000 + "7", PRIME),
        expect(int(gmpy2.next_prime(gmpy2.mpz(10) ** 299)), True),
        ("5", PRIME),  # the socket is still open
    ]  # fmt: skip
    assert answers(stack, dialogue, 1).clean


def test_200_sockets_at_once_each_get_their_own_answers_in_their_own_order(stack: Stack) -> None:
    before = {web: stack.total(f'primes_web_messages_total{{instance="{web}"}}') for web in WEBS}
    chance = random.Random(21)
    assert answers(stack, [question(chance.getrandbits(60)) for _ in range(SOCKETS * 50)], SOCKETS).clean
    for web in WEBS:  # the upstream balances: each of the four served a good part
        wait_until(
            lambda web=web: stack.total(f'primes_web_messages_total{{instance="{web}"}}') > before[web] + SOCKETS * 50 / 8,
            f"Prometheus shows that {web} served its part",
        )


def test_slow_numbers_do_not_hold_up_other_clients(stack: Stack) -> None:
    """Quick clients finish while every worker is still busy with what was asked before them."""
    slow, quick = Tally(), Tally()

    async def scenario() -> None:
        sent = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(ask(stack.socket, [expect(n, False) for n in slow_composites(6)], slow, after_send=sent.set))
            await sent.wait()
            async with asyncio.TaskGroup() as others:
                for start in range(20):
                    others.create_task(ask(stack.socket, [question(n) for n in range(start, 2000, 20)], quick))
            assert slow.answered < slow.asked, "the slow numbers were too quick to show anything"

    asyncio.run(scenario())
    print(quick, slow, sep="\n")
    assert quick.clean and slow.clean


def test_http_waits_for_the_answer_on_every_instance(stack: Stack) -> None:
    for _ in range(8):
        status, headers, body = stack.get(f"/primes/{2**61 - 1}")
        answer = json.loads(body)
        assert (status, answer["number"], answer["verdict"]) == (200, str(2**61 - 1), "prime")
        assert answer["proven"] is True and headers["Content-Type"].startswith("application/json")


def test_http_says_what_is_wrong_with_a_request(stack: Stack) -> None:
    for path, status, code in [
        ("/primes/seven", 400, "not_an_integer"),
        ("/primes/" + "9" * 10_001, 413, "too_large"),
        ("/primes/7?timeout=0", 400, "bad_request"),
        (f"/primes/{2**11213 - 1}?timeout=0.1", 504, "timeout"),
        ("/nothing", 404, "not_found"),
        ("/metrics", 404, "not_found"),
    ]:
        came, headers, body = stack.get(path)
        error = json.loads(body)["error"]
        assert (came, error["code"]) == (status, code), body
        assert error["retryable"] == ("Retry-After" in headers)


def test_health_and_readiness_answer_through_nginx(stack: Stack) -> None:
    assert stack.get("/healthz")[0] == 200
    wait_until(lambda: json.loads(stack.get("/readyz")[2]) == {"status": "ready"}, "a web process hears Redis")
