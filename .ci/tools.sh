#!/usr/bin/env bash
# Installs what the fast tests use beyond the virtual environment, where this is root on Debian.
set -euo pipefail
cd "$(dirname "$0")"
./install.sh cc gcc libc6-dev
./install.sh luacheck lua-check
./install.sh spin spin
./install.sh faketime faketime
# Other programs' word on our certificates (tests/unit/certificates/test_peers.py).
perl -MMath::Prime::Util -e 1 2>/dev/null || ./install.sh vcert libmath-prime-util-perl libmath-prime-util-gmp-perl libgmp-dev
./install.sh o2v coqprime-tools libcoq-coqprime coq libnum-ocaml
./install.sh prometheus-redis-exporter prometheus-redis-exporter
