"""The peers of `make bench-peers`: what is told of them, and what needs nothing to be installed."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.bench import questions
from tests.bench.measurement import Measurement, Results
from tests.bench.peers import report
from tests.bench.peers.rows import HERE, NODE, PACKAGES, versions
from tests.bench.ratios import Spread


@pytest.mark.parametrize(
    ("found", "repetitions", "said"),
    [
        (Spread(2.0, 1.5, 2.5), 4, "2.00 (1.50–2.50): more"),
        (Spread(0.5, 0.4, 0.75), 4, "0.500 (0.400–0.750): less"),
        (Spread(2.0, 1.0, 2.5), 4, "2.00 (1.00–2.50): within the spread"),
        (Spread(2.0, 1.5, 2.5), 3, "2.00 (1.50–2.50): too few repetitions to tell"),
    ],
)
def test_a_ratio_is_claimed_only_where_its_spread_allows_it(found: Spread, repetitions: int, said: str) -> None:
    assert report.claim(found, repetitions) == said


def test_a_peer_stands_beside_the_service_and_a_failed_one_is_named() -> None:
    found = [
        Measurement("plain-64x1", row, repetition, 10, 100.0, {"web": web, "redis": 1.0}, runtime=runtime)
        for repetition in range(4)
        for row, web, runtime in (("primes", 9.0, "CPython 3"), ("arq", 99.0, "CPython 3"))
    ]
    lines = report.sections(Results("make bench-peers", "2 cores", "Python 3", found), {"celery": "it ended"})
    (line,) = [line for line in lines if line.startswith("| plain-64x1 | arq ")]
    assert [cell.strip() for cell in line.split("|")][3:9] == ["100 (100–100)", "", "99.0", "", "1.00", "10.0 (10.0–10.0): more"]
    assert "CPython 3: `primes`, `arq`." in lines
    assert lines[-1] == "\n`celery` is left out from there on: it ended"


def test_the_peers_in_javascript_tell_primes_from_composites(tmp_path: Path) -> None:
    numbers = [*range(10_000), *questions.draw(10_000, 1, 12), 999_999_999_989, 1_099_511_627_689, 3_215_031_751, 4_759_123_141]
    program = tmp_path / "told.mjs"
    program.write_text(
        f'import {{ isPrime }} from "{HERE}/node/prime.mjs";'
        'let text = ""; for await (const part of process.stdin) text += part;'
        "console.log(JSON.stringify(JSON.parse(text).map(isPrime)));"
    )
    done = subprocess.run([NODE, program], input=json.dumps(numbers), capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == [questions.is_prime(number) for number in numbers]


def test_every_package_of_the_lock_file_has_its_sum_and_names_no_host() -> None:
    lock = json.loads((HERE / "node" / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    wanted = json.loads((HERE / "node" / "package.json").read_text())["dependencies"]
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert all(package["integrity"].startswith("sha512-") and "resolved" not in package for package in packages.values())


def test_the_report_names_the_version_of_every_package_of_a_peer() -> None:
    told = [package.split(" ") for package in versions(["node-streams", *PACKAGES]).split(", ")]
    wanted = json.loads((HERE / "node" / "package.json").read_text())["dependencies"]
    assert [name for name, _ in told] == [*wanted, *(name for names in PACKAGES.values() for name in names)]
    assert all(version[0].isdigit() for _, version in told)
    assert versions(["primes"]) == ""
