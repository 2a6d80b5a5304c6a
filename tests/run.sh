#!/usr/bin/env bash
# Every test, cheapest first. Installs and starts what the real stack needs and is missing; stops what it started.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

can_install() { [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; }

if ! command -v luacheck >/dev/null && can_install; then
    say "linter for Redis' scripts"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends lua-check >/dev/null
fi

say "lint, types, requirements"
make --no-print-directory lint types

say "Docker engine and images"
if docker version >/dev/null 2>&1 || can_install; then
    # An engine that ran before is somebody's: it is used, and left running.
    docker version >/dev/null 2>&1 || trap 'tests/engine/stop.sh' EXIT
    tests/engine/start.sh
    # Where two clients stand on this machine, this names the one that can talk to the engine.
    env_file=${PRIMES_STATE:-/tmp/primes-engine}/env
    # shellcheck disable=SC1090  # made at run time
    [[ ! -f $env_file ]] || . "$env_file"
    tests/images/build.sh
else
    echo "no Docker engine, and no root to install one: the tests that need it will be skipped, and say so"
fi

if ! command -v chromium >/dev/null && can_install; then
    say "Chromium"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends chromium >/dev/null
fi

if ! command -v cc >/dev/null && can_install; then
    say "C compiler for the load generator"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends gcc libc6-dev >/dev/null
fi

say "benchmark: CPU and answers beside stock Tornado; a wrong answer fails, a ratio does not"
make --no-print-directory bench-ci

say "tests"
# Where something broke what all tests need, CI shall hear what it was, rather than end the run at its limit of 90 minutes.
[[ ${CI:-} != true ]] || set -- --maxfail=10 --session-timeout=4200 "$@"
.venv/bin/pytest "$@"
