"""What the benchmark concludes from what it measured."""

import platform
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench import bulk, cpu, histogram, history, interpreters, questions, report, running, stacks
from tests.bench.load import Failed, Run
from tests.bench.measurement import Measurement, Results
from tests.bench.peers import report as peers
from tests.bench.ratios import Spread, alike, excess, paired, ratio, stock_of, values
from tests.bench.targets import TARGETS
from tests.integration.processes import ROOT


def measured(case: str, row: str, repetition: int, web: float, runtime: str = "", **more: float) -> Measurement:
    rate = more.pop("rate", 100.0)
    return Measurement(case, row, repetition, jobs=1000, rate=rate, cpu={"web": web, "nginx": 1.0}, runtime=runtime, **more)


def run(clients: list[tuple[int, int, int]]) -> Run:
    return Run(0, 0, 0, 0, 0, 1.0, 0.0, "", [], clients)


def test_rows_are_compared_within_a_repetition() -> None:
    assert paired({0: 10.0, 1: 40.0, 2: 9.0}, {0: 5.0, 1: 10.0, 3: 1.0}, ratio) == Spread(3.0, 2.0, 4.0)
    assert paired({0: 10.0}, {0: 8.0}, excess) == Spread(2.0, 2.0, 2.0)


def test_rows_that_share_no_repetition_are_not_compared() -> None:
    assert paired({0: 10.0}, {1: 5.0}, ratio) is None


def test_a_value_that_was_not_measured_is_left_out() -> None:
    found = [measured("idle", "primes", 0, 1, memory=13.0), measured("idle", "primes", 1, 1), measured("idle", "stock", 2, 1)]
    assert values(found, "idle", "primes", lambda m: m.memory) == {0: 13.0}


def test_a_target_is_met_by_its_median_on_the_right_side() -> None:
    cost = next(t for t in TARGETS if t.case == "plain-64x1" and t.side == "most")
    speed = next(t for t in TARGETS if t.case == "plain-64x1" and t.side == "least")
    assert cost.met(Spread(cost.bound, 0, 9)) and not cost.met(Spread(cost.bound + 0.01, 0, 9))
    assert speed.met(Spread(speed.bound, 0, 9)) and not speed.met(Spread(speed.bound - 0.01, 0, 9))


def test_a_target_compares_with_stock_of_the_same_repetition() -> None:
    found = [measured("plain-64x1", "stock", 0, 99), measured("plain-64x1", "stock", 1, 199)]
    found += [
        measured("plain-64x1", "primes", 0, 49),
        measured("plain-64x1", "primes", 1, 149),
        measured("v1-64x1", "primes", 0, 149),
    ]
    plain, v1 = (next(t for t in TARGETS if t.case == case) for case in ("plain-64x1", "v1-64x1"))
    assert plain.reached(found, "primes") == Spread(0.625, 0.5, 0.75)
    assert v1.reached(found, "primes") == Spread(1.5, 1.5, 1.5)
    assert plain.reached(found, "compose") is None


def test_every_target_names_cases_that_are_measured() -> None:
    from tests.bench.cases import CASES

    names = {case.name for case in CASES}
    assert {target.case for target in TARGETS} | {target.base for target in TARGETS if target.base} <= names


def test_the_report_shows_each_target_reached_or_not() -> None:
    found = [measured("plain-64x1", "stock", 0, 99, rate=10), measured("plain-64x1", "primes", 0, 49, rate=5)]
    lines = report.targets(found)
    assert [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]] == [
        ["CPU a job, plain, 64 × 1", "≤ 0.8 × stock", "processes", "0.500 (0.500–0.500)", "yes"],
        ["answers a second, plain, 64 × 1", "≥ 1 × stock", "processes", "0.500 (0.500–0.500)", "**no**"],
    ]


def test_the_report_names_command_machine_and_versions_and_leaves_out_empty_tables() -> None:
    lines = report.sections(Results("make bench", "2 cores", "Python 3", [measured("plain-64x1", "stock", 0, 99)]))
    assert "`make bench`" in lines[0] and "2 cores" in lines[0] and lines[1] == "Python 3."
    assert [line for line in lines if line.startswith("###")] == ["### Cost, speed, latency"]


STOCK = measured("plain-64x1", "stock", 0, 99, "CPython 3.11.7 (GCC 12)")
OTHERWISE = [
    measured("plain-64x1", "compose", 0, 49, "CPython 3.11.7 (GCC 12)"),  # containers
    measured("plain-64x1", "primes", 0, 49, "CPython 3.14.8 (GCC 16)"),
]


@pytest.mark.parametrize("other", OTHERWISE, ids=["containers", "another interpreter"])
def test_rows_that_ran_otherwise_are_shown_and_not_compared(other: Measurement) -> None:
    found = [STOCK, other]
    assert not alike(found, other.row, stock_of(other.row))
    assert history.ratios(found) == []
    assert [line for line in report.targets(found) if "× stock" in line] == []
    (line,) = [line for line in report.costs(found) if f" {other.row} " in line]
    assert [cell.strip() for cell in line.split("|")][3:9] == ["50.0 (50.0–50.0)", "1.00", "49.0", "", "", ""]
    assert report.runtimes(found)[-1].endswith(f"on their interpreter: {other.row}.")


def test_containers_are_compared_with_stock_in_containers() -> None:
    found = [
        STOCK,
        measured("plain-64x1", "compose-stock", 0, 24, "CPython 3.14.8"),
        measured("plain-64x1", "compose", 0, 49, "CPython 3.14.8"),
    ]
    assert history.ratios(found) == [history.Figure("plain-64x1 compose", "× stock", 2.0, 2.0, 2.0, 1)]
    assert [line.split("|")[3].strip() for line in report.targets(found) if "CPU" in line] == ["containers"]
    assert len(report.runtimes(found)) == 2


def test_the_report_names_what_each_row_ran_on() -> None:
    found = [STOCK, measured("plain-64x1", "picows", 0, 9, STOCK.runtime), OTHERWISE[1]]
    assert report.runtimes(found)[:2] == ["CPython 3.11.7 (GCC 12): `stock`, `picows`.", "CPython 3.14.8 (GCC 16): `primes`."]


def test_an_interpreter_tells_its_version_and_how_it_was_built() -> None:
    told = interpreters.describe([sys.executable])
    assert (
        told.startswith(f"{platform.python_implementation()} {platform.python_version()} (") and platform.python_compiler() in told
    )


@pytest.mark.parametrize(("path", "said"), [("/nowhere/python", "does not start"), ("false", "is no Python")])
def test_what_is_no_interpreter_is_named(path: str, said: str) -> None:
    with pytest.raises(interpreters.Unusable, match=f"^{path} {said}"):
        interpreters.environment(path)


def test_each_repetition_begins_with_another_row() -> None:
    assert [running.rotated("abc", n) for n in range(4)] == [list("abc"), list("bca"), list("cab"), list("abc")]


def test_the_scaling_table_shows_how_busy_each_process_was() -> None:
    cpu = {"nginx": 10.0, "web": 100.0, "worker": 40.0, "redis": 5.0}
    lines = report.scaling([Measurement("scale-2x1", "primes", 0, 1000, 10_000.0, cpu, load=20.0, commands=0.125)])
    cells = [cell.strip() for cell in lines[2].split("|")[1:-1]]
    assert cells == ["2", "1", "10,000 (10,000–10,000)", "10%", "50%", "40%", "5%", "0.125", "1.75 (1.75–1.75)"]


def test_the_tables_replace_what_stands_between_the_markers() -> None:
    document = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    once = report.insert(document, ["new"])
    assert once == f"before\n{report.BEGIN}\n\nnew\n{report.END}\nafter\n"
    assert report.insert(once, ["new"]) == once


@pytest.mark.parametrize("document", ["", report.BEGIN, report.END + report.BEGIN, (report.BEGIN + report.END) * 2])
def test_a_document_without_its_markers_is_left_alone(document: str) -> None:
    with pytest.raises(ValueError, match="expected one"):
        report.insert(document, ["new"])


def test_the_documentation_has_the_markers() -> None:
    report.insert(report.DOCUMENT.read_text(), [])
    report.insert(report.DOCUMENT.read_text(), [], peers.BEGIN, peers.END)


@pytest.mark.parametrize(
    ("value", "shown"), [(12345.6, "12,346"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.1234, "0.123"), (-0.5, "-0.500")]
)
def test_figures_have_three_digits(value: float, shown: str) -> None:
    assert report.figure(value) == shown


@given(st.lists(st.integers(0, 10**6), min_size=1), st.floats(0, 0.999))
def test_a_quantile_of_merged_histograms_is_that_of_all_latencies(latencies: list[int], share: float) -> None:
    merged = histogram.merge([[(value, 1)] for value in latencies])
    assert histogram.quantile(merged, share) == sorted(latencies)[int(len(latencies) * share)]


def test_a_quantile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one answer"):
        histogram.quantile([], 0.5)


def test_the_spread_is_that_of_the_worst_client_with_answers_enough() -> None:
    found = run([(100, 10, 20), (100, 10, 70), (3, 1, 1000)])
    assert found.spread == 7
    assert found.fewest == pytest.approx(3 * 3 / 203)


def test_a_process_is_read_whatever_its_name() -> None:
    assert cpu.parse("7 (a) b (c)) S 3 7 7 0 -1 0 0 0 0 0 10 20 1 2 20 0 1 0") == cpu.Times(parent=3, ticks=33)


def test_a_family_is_the_roots_that_run_and_all_below_them() -> None:
    table = {pid: cpu.Times(parent, 0) for pid, parent in {1: 0, 2: 1, 3: 2, 4: 3, 5: 1}.items()}
    assert cpu.family([2, 9], table) == {2, 3, 4}


def test_nginx_gets_the_web_processes_of_the_row_and_a_queue_for_each_worker() -> None:
    text = stacks.hosts((ROOT / "nginx" / "hosts.local.conf").read_text(), 8080, [1234, 2345])
    servers = [line.split()[1] for line in text.splitlines() if line.strip().startswith("server ") and "127.0.0.1:" in line]
    assert servers == ["127.0.0.1:1234", "127.0.0.1:2345"]
    assert "listen 127.0.0.1:8080 reuseport" in text and "@" not in text


def test_the_numbers_are_odd_have_64_bits_and_are_the_same_each_time() -> None:
    drawn = questions.draw(1000, 1)
    assert drawn == questions.draw(1000, 1)
    assert all(number % 2 and number < 2**64 for number in drawn)
    assert max(drawn) > 2**63


def test_numbers_of_so_many_digits_have_no_other_number_of_them() -> None:
    drawn = questions.draw(1000, 1, 12)
    assert all(number % 2 and len(str(number)) == 12 for number in drawn)
    assert len(set(drawn)) == 1000


def told(lines: list[bytes]) -> None:
    bulk.check(lines, [b"prime", b"composite"])


GOOD = [b'{"line":1,"verdict":"prime","proven":true}\n', b'{"line":2,"verdict":"composite"}\n', b'{"done":true,"lines":2}\n']


def test_an_upload_that_is_answered_in_order_is_right() -> None:
    told(GOOD)


@pytest.mark.parametrize("bad", [[GOOD[1], GOOD[0], GOOD[2]], [GOOD[0], GOOD[2]], GOOD[:2], [GOOD[0], GOOD[0], GOOD[2]], []])
def test_an_upload_with_a_wrong_or_missing_answer_is_noticed(bad: list[bytes]) -> None:
    with pytest.raises(Failed, match="expected"):
        told(bad)


def test_an_upload_is_filled_up_to_its_bound_and_no_further() -> None:
    body, verdicts = bulk.fill([[b"97", b"1"], [b"91", b"0"]], 10)
    assert body == b"97\n91\n97\n"
    assert verdicts == [b"prime", b"composite", b"prime"]
