"""The parts of `make test`: their commands and limits."""

import os

from tests.suite.part import Part

TOLD = 30  # seconds before a part's limit at which pytest ends the run itself, and still tells what failed


def _pytest(limit: int, *arguments: str) -> tuple[str, ...]:
    """The command, which on CI tells what broke all that follows, rather than run to its limit."""
    patience = ("--maxfail=10",) if os.environ.get("CI") == "true" else ()
    return (".venv/bin/pytest", f"--session-timeout={limit - TOLD}", *patience, *arguments)


def _side_by_side(limit: int, *arguments: str) -> tuple[str, ...]:
    """Two processes, to which files are given whole and in order, the long ones first; a file's tests share ports and stacks."""
    return _pytest(limit, "--numprocesses=2", "--dist=loadfile", "--no-loadscope-reorder", *arguments)


ON_THEIR_OWN, IN_CONTAINERS = ("-m", "not containers"), ("-m", "containers")

# A failure here ends the run, within three minutes; the limits are for a machine that is much slower.
# Plain: without root, engine and network, as on a developer's machine.
TOOLS = Part("C compiler, linter of Redis' scripts, model checker", 170, (".ci/tools.sh",))
LINT = Part("lint", 400, (".ci/plain.sh", "make", "--no-print-directory", "lint"))
SCAN = Part("scanners", 400, ("make", "--no-print-directory", "scan"))
CHART = Part("chart", 600, ("make", "--no-print-directory", "chart"))
TYPES = Part("types", 400, ("make", "--no-print-directory", "types"))
UNIT = Part(
    "unit tests, coverage",
    600,
    (
        ".ci/plain.sh",
        *_side_by_side(
            600, *ON_THEIR_OWN, "--cov", "--cov-report=term:skip-covered", "tests/unit", "tests/config", "tests/scripts"
        ),
    ),
)

CONTAINERS_READY = Part("engine, images, browsers", 900, (".ci/containers.sh",))
MODEL = Part("model", 400, _pytest(400, "tests/model"))
# By itself: its load would hold up whatever ran beside it.
CHAOS = Part("chaos of processes", 1_200, _pytest(1_200, *ON_THEIR_OWN, "tests/chaos"))
PROCESSES = Part(
    "tests of processes",
    1_200,
    _side_by_side(1_200, *ON_THEIR_OWN, "tests/system", "tests/integration"),
)
# The scripts, and what carries jobs and answers, on what others run in Redis' place; the rest on demand (CONTRIBUTING.md).
DELIVERY = (
    *("tests/integration/broker/test_client.py", "tests/integration/web/queue/test_answers.py"),
    *("tests/integration/worker/claims/test_takeover.py", "tests/integration/worker/claims/test_reader.py"),
)
VALKEY = Part(
    "scripts and delivery on Valkey",
    400,
    ("env", "TEST_REDIS_SERVER=valkey-server", *_side_by_side(400, *ON_THEIR_OWN, "tests/scripts", *DELIVERY)),
)
CLUSTER = Part("delivery on a cluster's node", 400, ("env", "TEST_REDIS_CLUSTER=1", *_side_by_side(400, *ON_THEIR_OWN, *DELIVERY)))
# What failed once.
SIMULATION = Part("simulation", 300, _pytest(300, "tests/simulation"))
# A minute of histories that no commit before had. A failure names its seed, which `make simulate` thins out.
FRESH_SEEDS = Part(
    "simulation, fresh seeds", 180, (".venv/bin/python", "-m", "tests.simulation", "--commit", "--minutes", "1", "--quick")
)
# A minute of inputs of the same kind; a failure names the seed of its round, too.
FUZZ = Part("readers, fresh inputs", 400, (".venv/bin/python", "-m", "tests.fuzz", "--commit", "--minutes", "1"))
# Each row for a second; `make abuse` measures.
ABUSE = Part("one client abuses the service", 600, _pytest(600, "tests/abuse"))
WITHOUT = Part("tests of containers without an engine", 120, (".ci/plain.sh", "env", "--unset=CI", *_pytest(120, *IN_CONTAINERS)))
# The page on processes; after the browsers were made ready, hence not beside what needs no engine.
FIREFOX = Part("page in Firefox", 300, _pytest(300, *ON_THEIR_OWN, "tests/browser"))
# Two stacks, each with about half of the tests, one after the other: side by side on two cores a browser now and then ran no page.
SECOND = ("tests/system/test_alerts.py", "tests/system/test_answers.py")
CONTAINERS = Part(
    "tests of containers",
    1_500,
    (".ci/engine/with.sh", *_pytest(1_500, *IN_CONTAINERS, "tests/system", *(f"--deselect={file}" for file in SECOND))),
)
MORE_CONTAINERS = Part(
    "tests of containers, second stack",
    1_500,
    (
        *(".ci/engine/with.sh", "env", "TEST_STACK=1"),
        *_pytest(1_500, *IN_CONTAINERS, "tests/config", "tests/browser", "tests/chaos", *SECOND),
    ),
)
# Alone: what it measures is CPU.
BENCHMARK = Part("benchmark", 240, ("make", "--no-print-directory", "bench-ci"))

FIRST = (TOOLS, LINT, SCAN, CHART, TYPES, UNIT, CONTAINERS_READY)
WITHOUT_AN_ENGINE = (MODEL, CHAOS, PROCESSES, VALKEY, CLUSTER, SIMULATION, FRESH_SEEDS, FUZZ, ABUSE, WITHOUT)
PARTS = (*FIRST, *WITHOUT_AN_ENGINE, FIREFOX, CONTAINERS, MORE_CONTAINERS, BENCHMARK)
