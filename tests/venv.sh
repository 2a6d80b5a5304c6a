#!/usr/bin/env bash
# Makes .venv with what the tests and `make local` need: tests/venv.sh [PYTHON]
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Python 3.11 or newer is needed, $("$python" --version) was found; name another: make PYTHON=python3.12 …" >&2
    exit 1
}
# Debian keeps the part of the standard library that makes environments in a package of its own.
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -qq --yes python3-venv >/dev/null
    else
        echo "$python cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2
        exit 1
    fi
fi
[[ -x .venv/bin/python ]] || "$python" -m venv .venv
echo "installing tests/requirements.txt into .venv"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r tests/requirements.txt
