"""Answers reach whoever asked, in the order of the questions, over two web processes and two workers."""

from services.jobs import names
from services.jobs.messages import Job, Verdict
from services.jobs.names import Lane
from tests.integration.conftest import Front, Whole
from tests.integration.plain_clients import HEAVY, HEAVY_COMPOSITE, NOT_PRIME, PRIME, Load, RawClient, ask_all, question, questions
from tests.integration.processes import frozen, thaw
from tests.integration.stack import get
from tests.integration.steps import Inbox, asking, freeze_child
from tests.integration.waiting import wait_until

BEYOND_64_BITS = 10**200


def test_answers_come_to_the_process_that_asked(whole: Whole) -> None:
    mixed = [[*questions(300, seed), *(question(BEYOND_64_BITS + seed * 100 + n) for n in range(20))] for seed in range(8)]
    asked = sum(map(len, mixed))
    before = [web.metric("primes_web_jobs_answered_total") for web in whole.webs]

    tally = ask_all((whole.webs[number % 2].url, each) for number, each in enumerate(mixed))

    print(tally)
    assert tally.clean
    given = [web.metric("primes_web_jobs_answered_total") - was for web, was in zip(whole.webs, before, strict=True)]
    assert given == [asked / 2, asked / 2]


def test_workers_share_the_jobs(whole: Whole) -> None:
    def both_worked() -> bool:
        assert ask_all([(whole.webs[0].url, [question(BEYOND_64_BITS + n) for n in range(40)])]).clean
        return all(worker.metric("primes_worker_jobs_total", lane="heavy") for worker in whole.workers)

    wait_until(both_worked, "both workers answered heavy jobs")


def test_a_slow_number_holds_back_its_own_socket_and_no_other(manned: Front) -> None:
    child = freeze_child(manned.web0, manned.worker0)
    before = manned.web0.metric("primes_web_jobs_answered_total", lane="quick")
    with RawClient(manned.web0.url) as slow:
        for number in (HEAVY, "4", "7", "none", HEAVY_COMPOSITE, "11"):
            slow.send(number)

        others = ask_all([(manned.web0.url, questions(200, 1)), (manned.web0.url, questions(200, 2))])

        assert others.clean
        own = 3  # quick numbers behind the slow one: answered, and kept until it is their turn
        wait_until(
            lambda: manned.web0.metric("primes_web_jobs_answered_total", lane="quick") == before + 400 + own,
            "the web process has the answers of every quick number",
        )
        assert slow.quiet()
        thaw(child)
        assert list(slow.messages(6)) == [PRIME, NOT_PRIME, PRIME, "Invalid input", NOT_PRIME, PRIME]


def test_an_entry_without_an_announcement_is_found_by_the_sweep(manned: Front) -> None:
    with Inbox(manned.redis) as inbox:
        inbox.put(Lane.QUICK, Job(1, "97"), Job(2, "91"), ring=False)
        inbox.put(Lane.HEAVY, Job(3, HEAVY), ring=False)

        answers = inbox.answers(3)

    verdicts = {id: answer.verdict for id, answer in answers.items()}
    assert verdicts == {1: Verdict.PRIME, 2: Verdict.COMPOSITE, 3: Verdict.PROBABLY_PRIME}


def test_lost_subscriptions_lose_no_answer(whole: Whole) -> None:
    reconnects = sum(service.metric("primes_redis_reconnects_total") for service in whole.services)
    with Load(*(web.url for web in whole.webs * 3)) as load:
        for _ in range(3):
            asked = load.tally.asked
            wait_until(lambda: load.tally.asked > asked + 500, "answers fly")  # noqa: B023  # waited for in this very turn
            whole.redis.admin.client_kill_filter(_type="pubsub")
        tally = load.finish()

    print(tally)
    assert tally.clean
    wait_until(
        lambda: sum(service.metric("primes_redis_reconnects_total") for service in whole.services) > reconnects,
        "the listening connections were made again",
    )


def test_an_answer_that_nobody_heard_is_computed_again(manned: Front) -> None:
    child = freeze_child(manned.web0, manned.worker0)
    resent = manned.web0.metric("primes_web_jobs_resent_total")
    unheard = manned.worker0.metric("primes_worker_unheard_total")
    with asking(manned.web0, HEAVY) as (waiting,):
        wait_until(lambda: manned.redis.held("worker0", Lane.HEAVY), "the worker holds the job")
        with frozen(manned.web0.pid):
            manned.redis.admin.client_kill_filter(_type="pubsub")  # the web process cannot listen again yet
            thaw(child)
            wait_until(lambda: not manned.redis.length(Lane.HEAVY), "the worker answered")
            wait_until(lambda: manned.worker0.metric("primes_worker_unheard_total") == unheard + 1, "it counted that nobody heard")

        assert waiting.result().json["verdict"] == "probably_prime"

    assert manned.web0.metric("primes_web_jobs_resent_total") == resent + 1


def test_health_readiness_and_metrics_are_served(whole: Whole) -> None:
    web, worker = whole.webs[0], whole.workers[0]
    for service in (web, worker):
        assert (answer := get(service.metrics_port, "/healthz")).status == 200 and answer.json == {"status": "alive"}
        assert (answer := get(service.metrics_port, "/readyz")).status == 200 and answer.json == {"status": "ready"}
        assert service.metric("primes_build_info") == 1
        assert service.metric("primes_redis_heard") == 1
    assert get(web.port, "/healthz").status == 200
    assert get(web.port, "/readyz").status == 200
    assert get(web.port, "/metrics").status == 404  # for operators, on their port


def test_streams_are_empty_when_everything_is_answered(whole: Whole) -> None:
    assert ask_all([(web.url, questions(100, 9)) for web in whole.webs]).clean
    wait_until(lambda: not any(whole.redis.length(lane) for lane in Lane), "answered entries are deleted")
    held: int = sum(whole.redis.admin.xpending(names.stream(lane), names.GROUP)["pending"] for lane in Lane)
    assert held == 0
