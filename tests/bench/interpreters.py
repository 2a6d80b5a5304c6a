"""Interpreters that rows run on: what they are, and an environment of each that has what rows import."""

import hashlib
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.load import BUILD
from tests.integration.processes import ROOT

ENVIRONMENTS = BUILD / "environments"
ROWS = tuple(ROOT / name / "requirements.txt" for name in ("services/web", "services/worker", "tests/bench"))

# The version says little: builds of one version differ by a fifth, by compiler and by whether a profile guided it.
_TELL = """
import platform, sysconfig
names = ("CONFIG_ARGS", "PY_CORE_CFLAGS", "PY_CFLAGS_NODIST", "PGO_PROF_USE_FLAG")
said = " ".join(str(sysconfig.get_config_var(name)) for name in names)
built = [platform.python_compiler()]
if "-fprofile-use" in said or "--enable-optimizations" in said:
    built.append("by a profile")
if "-flto" in said or "--with-lto" in said:
    built.append("LTO")
print(platform.python_implementation(), platform.python_version(), "(" + ", ".join(built) + ")")
"""


class Unusable(Exception):
    """No interpreter there, one that is too old, or one for which a package has no wheel."""


def describe(command: Sequence[str], *, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Implementation, version and how it was built, as the interpreter that this command starts tells them. Raises Unusable."""
    try:
        done = subprocess.run([*command, "-c", _TELL], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise Unusable(f"{command[0]} does not start: {error.strerror}") from error
    if done.returncode:
        raise Unusable(f"{' '.join(command)} is no Python: {done.stderr.strip()[-500:]}")
    return done.stdout.strip()


def environment(python: str, requirements: Sequence[Path] = ROWS) -> str:
    """The interpreter of an environment in `build` that has these requirements, made at its first use. Raises Unusable."""
    version = describe([python])
    if (found := re.search(r" (\d+)\.(\d+)", version)) and (int(found[1]), int(found[2])) < (3, 11):
        raise Unusable(f"expected Python 3.11 or newer, got {version}")
    wanted = hashlib.sha256(
        b"".join([version.encode(), Path(python).resolve().as_posix().encode(), *(file.read_bytes() for file in requirements)])
    )
    directory = ENVIRONMENTS / wanted.hexdigest()[:16]
    made = directory / "bin" / "python"
    if not (directory / "ready").exists():
        print(
            f"installing {', '.join(str(file.relative_to(ROOT)) for file in requirements)} for {version}",
            file=sys.stderr,
            flush=True,
        )
        _run([python, "-m", "venv", "--without-pip", "--clear", str(directory)])
        options = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"]
        _run(
            [
                sys.executable,
                "-m",
                "pip",
                "--python",
                str(made),
                "install",
                *options,
                *(word for file in requirements for word in ("-r", str(file))),
            ]
        )
        # As in the images: where byte code may not be written, every process would compile what it imports.
        _run([str(made), "-m", "compileall", "-q", str(directory / "lib")])
        (directory / "ready").touch()
    return str(made)


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Unusable(f"{' '.join(command)}: status {done.returncode}: {done.stderr.strip()[-2000:]}")
