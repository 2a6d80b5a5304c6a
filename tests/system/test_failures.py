"""Parts of the stack die for real; what was asked is answered all the same."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial

import gmpy2

from tests.integration.plain_clients import Question, Tally, ask, expect, question
from tests.integration.processes import computing, cpu, state
from tests.integration.waiting import wait_until
from tests.system.stack import PROJECT, WORKERS, Stack

MEDIUM = [int(gmpy2.next_prime(gmpy2.mpz(10) ** d)) for d in (400, 450, 500, 550, 600)]  # 10 to 30 ms each: heavy lane


def mixed(clients: int, each: int, seed: int) -> list[list[Question]]:
    """Questions for both lanes: mostly quick ones, some that take a child process 10 to 30 ms."""
    chance = random.Random(seed)
    quick = [[question(chance.getrandbits(64) | 1) for _ in range(each)] for _ in range(clients)]
    return [[*questions, *(expect(n, True) for n in chance.sample(MEDIUM, 2))] for questions in quick]


def ask_while(stack: Stack, breaking: Callable[[], None], clients: list[list[Question]]) -> Tally:
    """Ask everything over a socket a client; break something as soon as the first client has sent all of its questions."""
    tally = Tally()

    async def scenario() -> None:
        sent = asyncio.Event()
        together = asyncio.Barrier(len(clients))
        async with asyncio.TaskGroup() as group:
            for questions in clients:
                group.create_task(ask(stack.socket, questions, tally, together=together, after_send=sent.set))
            await sent.wait()
            await asyncio.to_thread(breaking)

    asyncio.run(scenario())
    print(tally)
    return tally


def test_a_worker_killed_while_it_holds_jobs_loses_none(stack: Stack) -> None:
    before = stack.containers("worker")[0]

    def kill() -> None:
        stack.kill(before)

    tally = ask_while(stack, kill, mixed(40, 250, seed=1))
    assert tally.clean
    stack.wait_healthy(*WORKERS)  # it came back by itself


def test_both_workers_killed_again_and_again_lose_no_job(stack: Stack) -> None:
    def kill() -> None:
        for _ in range(3):
            killed = stack.kill_named(*WORKERS)
            wait_until(lambda: not killed & set(stack.pids(*WORKERS)), "Docker notices")  # noqa: B023  # waited for in this very turn
            stack.wait_healthy(*WORKERS)

    tally = ask_while(stack, kill, mixed(20, 50, seed=2))
    assert tally.clean


def test_a_stopped_worker_that_wakes_past_its_lease_answers_nothing_twice(stack: Stack) -> None:
    victim = stack.containers("worker")[0]

    def stall() -> None:
        stack.kill(victim, signal.SIGSTOP)

    try:
        tally = ask_while(stack, stall, mixed(40, 50, seed=3))
    finally:
        stack.kill(victim, signal.SIGCONT)
    assert tally.clean  # `ask` looks for answers that come twice


def test_a_killed_web_container_leaves_other_clients_alone_and_comes_back(stack: Stack) -> None:
    victim = stack.containers("web2")[0]
    with contextlib.ExitStack() as held:
        held.enter_context(stack.still(*WORKERS))  # so that every client waits for answers when it is killed

        def kill() -> None:
            stack.kill(victim)
            held.close()

        tally = ask_while(stack, kill, mixed(40, 250, seed=4))
    assert tally.wrong == []
    assert 0 < tally.cut_off <= 20  # its own clients, about a quarter
    assert tally.lost <= tally.cut_off * 252  # and nobody else lost anything
    again = ask_while(stack, lambda: None, mixed(20, 20, seed=5))  # new clients are served at once
    assert again.clean
    wait_until(lambda: stack.containers("web2")[0]["RestartCount"] > victim["RestartCount"], "Docker restarted web2")
    stack.wait_healthy("web2-1")


def test_a_restarted_redis_loses_no_accepted_job(stack: Stack) -> None:
    def restart() -> None:
        stack.compose("restart", "redis")

    tally = ask_while(stack, restart, mixed(40, 250, seed=6))
    assert tally.clean


def test_a_killed_redis_loses_no_accepted_job(stack: Stack) -> None:
    def kill() -> None:
        stack.kill(stack.containers("redis")[0])

    tally = ask_while(stack, kill, mixed(40, 250, seed=7))
    assert tally.clean


def test_a_redis_that_comes_back_empty_loses_no_accepted_job(stack: Stack) -> None:
    def empty() -> None:
        stack.compose("rm", "--stop", "--force", "redis")
        subprocess.run(["docker", "volume", "rm", f"{PROJECT}_redis"], check=True, capture_output=True)
        stack.compose("up", "--detach", "--wait", "redis")

    tally = ask_while(stack, empty, mixed(40, 250, seed=8))
    assert tally.clean


def test_one_web_container_is_enough_and_the_others_are_used_when_they_come_back(stack: Stack) -> None:
    others = ("web1", "web2", "web3")
    stack.compose("stop", *others)
    try:
        alone = ask_while(stack, lambda: None, mixed(40, 20, seed=9))
        assert alone.clean
        assert stack.get("/primes/97")[0] == 200
    finally:
        stack.compose("start", *others)
    started = time.time()
    for web in others:
        wait_until(partial(served_since, stack, web, started), f"{web} serves again", 60)


def served_since(stack: Stack, web: str, started: float) -> bool:
    """Ask something over many new sockets and see whether this instance counted a message since it started."""
    ask_while(stack, lambda: None, [[expect(7, True)]] * 12)
    return stack.total(f'primes_web_messages_total{{instance="{web}"}} and timestamp(primes_web_messages_total) > {started}') > 0


def test_nginx_starts_and_serves_while_three_web_containers_do_not_exist(stack: Stack) -> None:
    stack.compose("rm", "--stop", "--force", "web0", "web1", "web3")
    try:
        stack.compose("up", "--detach", "--no-deps", "--force-recreate", "nginx")
        wait_until(lambda: stack.get("/primes/97")[0] == 200, "nginx serves with one web process")
    finally:
        stack.compose("up", "--detach", "--wait")


def test_a_recreated_web_container_is_found_at_its_new_address(stack: Stack) -> None:
    def address() -> set[str]:
        return {n["IPAddress"] for n in stack.containers("web3")[0]["NetworkSettings"]["Networks"].values()}

    before = address()
    # the first one's addresses are given away before the second one is made
    stack.compose("rm", "--stop", "--force", "web3")
    squatter = subprocess.run(
        ["docker", "run", "--rm", "--detach", "--network", f"{PROJECT}_front", "--entrypoint", "sleep", "primes-web", "600"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    try:
        stack.compose("up", "--detach", "--wait", "web3")
        assert address() != before
        started = time.time()
        wait_until(lambda: served_since(stack, "web3", started), "web3 serves at its new address", 60)
    finally:
        subprocess.run(["docker", "kill", squatter], check=True, capture_output=True)


def test_a_job_that_ends_its_process_three_times_is_set_aside_and_others_go_on(stack: Stack) -> None:
    number = 2**23209 - 1  # a Mersenne prime of 6,987 digits: half a minute of work
    killed: set[int] = set()

    def kill_children() -> None:
        deadline = time.monotonic() + 120
        while len(killed) < 3 and time.monotonic() < deadline:
            for container in stack.containers("worker"):
                assert container["State"]["Pid"], "the worker itself goes on"
                kill_computing(container["State"]["Pid"], killed)
            time.sleep(0.05)  # poll
        assert len(killed) == 3, "no child process computed the number"

    tally = ask_while(
        stack,
        kill_children,
        [[(str(gmpy2.mpz(number)), "No answer: The job ended the process that ran it, several times, and was set aside")]],
    )
    assert tally.clean
    wait_until(lambda: stack.total("max(primes_dead_letters)") >= 1, "the dead letter shows in the metrics")


def kill_computing(worker: int, killed: set[int]) -> None:
    """Kill the child of this process that computes: it runs, where the others sleep, and has used CPU for a while."""
    for child in computing(worker):
        if child not in killed and state(child) == "R" and cpu(child) > 1 and len(killed) < 3:  # a start takes some 0.3 s
            os.kill(child, signal.SIGKILL)
            killed.add(child)


def test_a_wedged_web_process_ends_itself_and_comes_back(stack: Stack) -> None:
    """Its event loop is stopped for real, by Python's own way into a running process (PEP 768)."""
    victim = stack.containers("web0")[0]
    wedge = "/dev/shm/wedge.py"  # the one place that is writable in both containers
    stack.compose("exec", "-T", "web0", "sh", "-c", f"echo 'import time; time.sleep(600)' > {wedge}")
    intruder = f"cp /proc/1/root{wedge} {wedge} && python -c \"import sys; sys.remote_exec(1, '{wedge}')\""
    subprocess.run(
        ["docker", "run", "--rm", "--pid", f"container:{victim['Id']}", "--cap-add", "SYS_PTRACE", "--user", "0",
         "--entrypoint", "sh", "primes-web", "-c", intruder],
        check=True, capture_output=True,
    )  # fmt: skip
    wait_until(lambda: stack.containers("web0")[0]["RestartCount"] > victim["RestartCount"], "web0 ended itself", 60)
    stack.wait_healthy("web0-1")
