"""Requirements files with exact versions and hashes, from pyproject's dependency groups: `make requirements`, `make lint`."""

import argparse
import ast
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")
FILES = {
    "web": "services/web/requirements.txt",
    "worker": "services/worker/requirements.txt",
    "tracing": "services/runtime/tracing-requirements.txt",
    "test": "tests/requirements.txt",
    "bench": "tests/bench/requirements.txt",
    "peer-arq": "tests/bench/peers/arq/requirements.txt",
    "peer-celery": "tests/bench/peers/celery/requirements.txt",
    "peer-channels": "tests/bench/peers/channels/requirements.txt",
    "scan": "tests/scan/requirements.txt",
    "chart": "tests/chart/requirements.txt",
}
BESIDE = {"bench": "test", "tracing": "web"}  # groups that are installed into one environment with another, hence in its versions
PYTHON = "3.11"  # the oldest that the project supports
SECTIONS = ("global.", "install.", ":env:.")  # of pip's configuration, the later of which wins
# One file for every Python and platform that the project supports, and no address of an index in it.
OPTIONS = ("--universal", "--generate-hashes", "--no-emit-index-url", "--no-header", f"--python-version={PYTHON}")


def digest(project: str, group: str) -> str:
    """Of all that a file is made from, so that it can be told without an index whether the file still fits."""
    groups = tomllib.loads(project)["dependency-groups"]
    return hashlib.sha256(json.dumps([*_wanted(groups, group), *OPTIONS]).encode()).hexdigest()


def _wanted(groups: Mapping[str, list[str | dict[str, str]]], group: str) -> Iterator[str]:
    """The group's requirements, those of included groups in their place."""
    for entry in groups[group]:
        if isinstance(entry, str):
            yield entry
        else:
            yield from _wanted(groups, entry["include-group"])


def head(project: str, group: str) -> str:
    """The first line of a group's file."""
    return f"# pyproject.toml's group {group}, sha256:{digest(project, group)}; written by `make requirements`\n"


def stale(root: Path = ROOT) -> list[str]:
    """The files that were not written from this pyproject.toml."""
    project = (root / "pyproject.toml").read_text()
    return [file for group, file in FILES.items() if not (root / file).read_text().startswith(head(project, group))]


def index(configured: str) -> dict[str, str]:
    """uv's environment for the index, proxy and certificates that `pip config list` told, which uv itself does not read.

    Folders of this machine are left out: they must not decide what the project's files say.
    """
    pairs = [line.split("=", 1) for line in configured.splitlines()]
    told: dict[str, str] = {}
    for section in SECTIONS:
        told |= {name.removeprefix(section): ast.literal_eval(value) for name, value in pairs if name.startswith(section)}
    extra = [url for url in told.get("extra-index-url", "").split() if not url.startswith("file:")]
    found = {
        "UV_DEFAULT_INDEX": told.get("index-url"),
        "UV_INDEX": " ".join(extra),
        "UV_INDEX_STRATEGY": "unsafe-best-match" if extra else None,  # all indexes are alike, as for pip
        "UV_INSECURE_HOST": told.get("trusted-host"),
        "SSL_CERT_FILE": told.get("cert"),
        "ALL_PROXY": told.get("proxy"),
    }
    return {name: value for name, value in found.items() if value}


def compile_group(group: str, file: Path, options: list[str], environment: Mapping[str, str]) -> None:
    """Write one file; versions that stand there and still fit are kept."""
    with tempfile.TemporaryDirectory() as directory:
        fresh = Path(directory) / "requirements.txt"
        fresh.write_bytes(file.read_bytes() if file.exists() else b"")
        beside = [f"--constraints={FILES[BESIDE[group]]}"] if group in BESIDE else []
        command = [str(UV), "pip", "compile", "--quiet", *OPTIONS, *beside, "--group", group, "--output-file", str(fresh), *options]
        subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True)
        file.write_text(head((ROOT / "pyproject.toml").read_text(), group) + fresh.read_text())


def main() -> int:
    """Write all files with these options of `uv pip compile`; with --check, name those that are stale."""
    parser = argparse.ArgumentParser(prog="python -m tests.requirements", description=__doc__, allow_abbrev=False)
    parser.add_argument("--check", action="store_true", help="write nothing, and name the files that are stale")
    parser.epilog = "Other options go to `uv pip compile`, such as --upgrade."
    given, options = parser.parse_known_args()
    if given.check:
        for file in (found := stale()):
            print(f"{file} was not written from this pyproject.toml: run 'make requirements'", file=sys.stderr)
        return 1 if found else 0
    pip = [sys.executable, "-m", "pip", "config", "list"]
    environment = index(subprocess.run(pip, capture_output=True, text=True, check=True).stdout)
    for group, file in FILES.items():
        compile_group(group, ROOT / file, options, environment)
    return 0


if __name__ == "__main__":
    sys.exit(main())
