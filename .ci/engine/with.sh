#!/usr/bin/env bash
# Runs a command for which `docker` is the client that can talk to the engine: .ci/engine/with.sh COMMAND...
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=steps.sh
. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"
exec "$@"
