#!/usr/bin/env bash
# Stops the Docker engine that start.sh started, and no other.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=steps.sh
. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

usage() {
    cat <<'HELP'
Usage: .ci/engine/stop.sh [--purge | --help]

Stops the engine whose pid file start.sh left, with its containers and its containerd, and removes its mounts. Does nothing where
start.sh started none. Images and volumes stay, so that the next start is quick; so do the bridge docker0 and the firewall rules, as
with any Docker engine.
  --purge  also delete the engine's data and the state directory: images, volumes, the cached base file system

Environment: PRIMES_STATE and PRIMES_DOCKER_ROOT as in start.sh.
HELP
}

# dockerd gives containers 10 s to end before it kills them, and itself 15 s; the rest is for a busy machine.
WAIT=60

wait_for_end() {
    local pid=$1 until=$((SECONDS + WAIT))
    # A process that ended but was not reaped (a container's first process may not reap) has no exe any more.
    while readlink "/proc/$pid/exe" >/dev/null; do
        [ "$SECONDS" -lt "$until" ] || return 1
        sleep 0.1
    done
}

stop_engine() {
    local pid
    pid=$(cat "$PRIMES_STATE/docker.pid")
    kill "$pid"
    wait_for_end "$pid" || kill -KILL "$pid"
}

# A dockerd that was killed leaves its containerd and one shim a container behind. All of them carry our directory in their
# command line, and each shim has written down the number of its container's first process.
end_leftovers() {
    local exec_root=$PRIMES_STATE/exec file process pid
    for file in "$exec_root"/containerd/daemon/io.containerd.runtime.v2.task/moby/*/init.pid; do
        [ -e "$file" ] || continue
        pid=$(cat "$file")
        # Numbers are given out again: this one is a container's only if the process has namespaces of its own.
        [ "$(readlink "/proc/$pid/ns/mnt")" = "$(readlink /proc/self/ns/mnt)" ] || kill -KILL "$pid" 2>/dev/null || true
    done
    for process in /proc/[0-9]*; do
        [[ "$(readlink "$process/exe")" = */containerd* ]] || continue
        case $(tr '\0' ' ' 2>/dev/null <"$process/cmdline") in
            *" $exec_root/"*)
                pid=${process#/proc/}
                kill "$pid" 2>/dev/null || continue
                wait_for_end "$pid" || kill -KILL "$pid"
                ;;
        esac
    done
}

unmount_all() {
    local mount
    # The innermost first. /proc/mounts writes blanks as \040; neither directory may have one, and dockerd would refuse it as well.
    while read -r mount; do
        umount "$mount" || umount --lazy "$mount"
    done < <(cut -d' ' -f2 /proc/mounts | grep -E "^($PRIMES_DOCKER_ROOT|$PRIMES_STATE/exec)(/|$)" | sort -r)
}

main() {
    local purge=
    case ${1:-} in
        '') ;;
        --purge) purge=yes ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; die "unknown argument: $1" ;;
    esac
    if [ ! -d "$PRIMES_STATE/exec" ]; then
        say "        -  no engine of ours: nothing to stop"
    else
        need_root
        take_turns
        if engine_runs; then step "stop dockerd, process $(cat "$PRIMES_STATE/docker.pid")" stop_engine; fi
        step "end what it left" end_leftovers
        step "unmount" unmount_all
        rm -rf --one-file-system "$PRIMES_STATE/exec"
        # The socket is ours if nobody answers on it now.
        any_client_answers || rm -f /var/run/docker.sock
        rm -f "$PRIMES_STATE/docker.pid" "$PRIMES_STATE/env"
    fi
    if [ -n "$purge" ]; then
        need_root
        rm -rf --one-file-system "$PRIMES_DOCKER_ROOT" "$PRIMES_STATE"
        say "        -  deleted $PRIMES_DOCKER_ROOT and $PRIMES_STATE"
    fi
}

main "$@"
