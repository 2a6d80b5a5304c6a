# shellcheck shell=bash
# What the engine and image scripts share: where their state lives, one timed line a step, and the machine's own Debian mirror.

# State is small (logs, pid, the cached base image: about 100 MB); the engine's own data needs a real disk, not a tmpfs.
PRIMES_STATE=${PRIMES_STATE:-/tmp/primes-engine}
PRIMES_DOCKER_ROOT=${PRIMES_DOCKER_ROOT:-/var/lib/primes-docker}

# start.sh writes this file when the first `docker` of PATH cannot talk to the engine and another one can.
if [ -f "$PRIMES_STATE/env" ]; then
    # shellcheck disable=SC1091  # made at run time
    . "$PRIMES_STATE/env"
fi

say() { printf '%s\n' "$*" >&2; }

die() {
    say "error: $*"
    exit 1
}

# step NAME COMMAND...: runs it, prints one line with the time it took; its output appears only if it failed.
# The command runs in a subshell, so what it sets does not come back.
step() {
    local name=$1 log began=${EPOCHREALTIME/[.,]/} status=0
    shift
    log=$(mktemp "$PRIMES_STATE/step.XXXXXX")
    # `set -e` is off in everything that `if` or `||` looks at, hence a subshell of its own that switches it on again.
    set +e
    (set -e; "$@") >"$log" 2>&1 </dev/null
    status=$?
    set -e
    local tenths=$(((${EPOCHREALTIME/[.,]/} - began) / 100000))
    printf '%5d.%d s  %s\n' $((tenths / 10)) $((tenths % 10)) "$name" >&2
    if [ "$status" -ne 0 ]; then
        say "--- the last lines of: $*"
        tail -n 40 "$log" >&2
        rm -f "$log"
        die "$name: exit status $status"
    fi
    rm -f "$log"
}

need_root() { [ "$(id -u)" -eq 0 ] || die "this needs root (it installs packages and starts a Docker engine); got user $(id -un)"; }

# engine_answers [CLIENT]: asks for the server's version, since some clients' `docker info` succeeds without a server.
engine_answers() { timeout 10 "${1:-docker}" version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# A machine can have two clients, of which only one can talk to the engine; start.sh then puts that one first on PATH.
any_client_answers() { engine_answers docker || engine_answers /usr/bin/docker; }

# engine_runs: whether the dockerd that start.sh started is alive, which is not yet to say that it answers.
engine_runs() {
    local pid
    pid=$(cat "$PRIMES_STATE/docker.pid" 2>/dev/null) && [[ "$(readlink "/proc/$pid/exe")" = */dockerd ]]
}

# take_turns: two runs at once would start two engines on one data root, or build one image twice. What stays running must close 9.
take_turns() {
    mkdir -p "$PRIMES_STATE"
    exec 9>"$PRIMES_STATE/lock"
    flock --timeout 900 9 || die "another run has held $PRIMES_STATE/lock for 15 minutes"
}

# The Debian mirror that this machine's apt uses, so that no host name stands in the repository.
debian_mirror() {
    # shellcheck disable=SC2016  # apt fills in $(REPO_URI)
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 'Component: main' |
        head -n 1
}

need_mirror() {
    [ -n "$(debian_mirror)" ] || step "apt-get update" apt-get update
    [ -n "$(debian_mirror)" ] || die "apt knows no Debian mirror (\`apt-get indextargets\` lists no target of origin Debian)"
}
