#!/usr/bin/env bash
# Compiles pyproject's dependency groups into requirements files with exact versions and hashes.
#   tests/requirements.sh           write them (an upgrade: tests/requirements.sh --upgrade)
#   tests/requirements.sh --check   fail if they are stale
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}

compile() { # group, output, options of uv
    # --universal: one file for every Python and platform that the project supports, and no address of an index in it.
    "$uv" pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
        --group "$1" --output-file "$2" "${@:3}"
}

outputs=(web:services/web/requirements.txt worker:services/worker/requirements.txt test:tests/requirements.txt)
if [[ ${1:-} == --check ]]; then
    fresh=$(mktemp -d)
    trap 'rm -rf "$fresh"' EXIT
    for output in "${outputs[@]}"; do
        file=${output#*:}
        cp "$file" "$fresh/requirements.txt" # what stands there is kept where it still fits
        compile "${output%%:*}" "$fresh/requirements.txt"
        diff -u "$file" "$fresh/requirements.txt" || {
            echo "$file does not fit pyproject.toml: run 'make requirements'" >&2
            exit 1
        }
    done
else
    for output in "${outputs[@]}"; do
        compile "${output%%:*}" "${output#*:}" "$@"
    done
fi
