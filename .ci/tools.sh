#!/usr/bin/env bash
# Installs what the fast tests use beyond the virtual environment, where this is root on Debian.
set -euo pipefail
cd "$(dirname "$0")"
./install.sh cc gcc libc6-dev
./install.sh luacheck lua-check
./install.sh spin spin
./install.sh faketime faketime
./install.sh prometheus-redis-exporter prometheus-redis-exporter
