#!/usr/bin/env bash
# Makes ready what the tests of containers and pages need: an engine, the images, Chromium, Firefox; where it cannot, it says so and succeeds.
set -euo pipefail
cd "$(dirname "$0")/.."
if .ci/engine/with.sh docker version >/dev/null 2>&1 || { [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; }; then
    .ci/engine/start.sh
    .ci/images/build.sh
    .ci/engine/with.sh docker compose build --quiet
else
    echo "no Docker engine, and no root with apt to install one: the tests that need it are skipped, and say so"
fi
.ci/install.sh chromium chromium
.ci/install.sh firefox-esr firefox-esr
