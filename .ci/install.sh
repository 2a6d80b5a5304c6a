#!/usr/bin/env bash
# Installs Debian packages where a command is missing and this is root: .ci/install.sh COMMAND PACKAGE...
set -euo pipefail
command=$1
shift
if command -v "$command" >/dev/null; then
    echo "$command is there"
elif [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "$@" >/dev/null
else
    echo "no $command, and no root with apt to install it: the tests that need it are skipped, and say so"
fi
