#!/usr/bin/env bash
# Breaks one thing of the running stack for a while, on purpose, and mends it: `make fault-NAME`. docs/faults.md says what is to be seen.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'HELP'
Usage: faults/fault.sh NAME [SECONDS]

Breaks one thing for SECONDS (60 unless given), then mends it; Ctrl-C mends it at once.

  kill-worker     one worker is killed with what it holds
  stop-workers    all workers are stopped
  stop-web        web2 is stopped; its clients are told
  freeze-web      web2 stands still: it accepts connections and does not answer
  cut-web         web2 loses its network to Redis
  pause-redis     Redis stands still
  slow-redis      Redis stands still for half of every second
  stop-nginx      nginx is stopped
  flood-heavy     100 clients at once ask for numbers of 3,000 digits, again and again
  dead-letter     an entry that nobody can read is put into the queue; the dead letter is deleted in the end
HELP
}

say() { printf '%s  %s\n' "$(date +%T)" "$*"; }

# Runs a step in a process group of its own, which Ctrl-C does not reach: what is cut in two is neither broken nor mended.
apart() {
    local status=0
    set -m
    (set +m && "$@") </dev/null &
    set +m
    wait $! || status=$?
    while kill -0 $! 2>/dev/null; do # a signal ended the wait, not the step
        status=0
        wait $! || status=$?
    done
    return "$status"
}

container() { docker compose ps --all --quiet "$1" | head -n 1; }

# Redis' user `worker`, which may read and delete dead letters.
as_worker() {
    docker compose exec -T worker cat /run/access/password |
        docker compose exec -T redis sh -c 'REDISCLI_AUTH=$(cat) exec redis-cli --user worker "$@"' sh "$@"
}

break_it() {
    case $1 in
        kill-worker) docker kill "$(container worker)" ;;
        stop-workers) docker compose stop worker ;;
        stop-web) docker compose stop web2 ;;
        freeze-web) docker compose pause web2 ;;
        cut-web) docker network disconnect "$(jobs_network)" "$(container web2)" ;;
        pause-redis) docker compose pause redis ;;
        stop-nginx) docker compose stop nginx ;;
        dead-letter) as_worker XADD '{primes}:jobs:quick' '*' reply nobody jobs nonsense ;;
        slow-redis | flood-heavy) ;; # broken again and again while it lasts
    esac >/dev/null
}

# Keeps it broken for so many seconds.
last() {
    case $1 in
        slow-redis) stutter "$2" ;;
        flood-heavy) docker compose exec -T canary python -c "$FLOOD" "$2" ;;
        *) sleep "$2" ;;
    esac
}

mend() {
    case $1 in
        kill-worker | stop-workers) docker compose start worker ;;
        stop-web) docker compose start web2 ;;
        freeze-web) docker compose unpause web2 ;;
        cut-web) docker network connect --alias web2 "$(jobs_network)" "$(container web2)" ;;
        pause-redis) docker compose unpause redis ;;
        slow-redis) docker compose unpause redis 2>&1 || true ;; # it may run at this moment
        stop-nginx) docker compose start nginx ;;
        dead-letter) forget_letters ;;
        flood-heavy) ;;
    esac >/dev/null
}

jobs_network() { docker inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{println $name}}{{end}}' "$(container redis)" | head -n 1; }

stutter() {
    local redis end=$((SECONDS + $1)) # by the container's id: docker compose takes a second to find it
    redis=$(container redis)
    while ((SECONDS < end)); do
        docker pause "$redis" >/dev/null
        sleep 0.4
        docker unpause "$redis" >/dev/null
        sleep 0.4
    done
}

# Deletes the dead letters that hold the entry of this fault, and no others.
forget_letters() {
    local id
    for id in $(as_worker --raw XRANGE '{primes}:dead' - + | grep -E '^[0-9]+-[0-9]+$'); do
        if as_worker --raw XRANGE '{primes}:dead' "$id" "$id" | grep -q nonsense; then as_worker XDEL '{primes}:dead' "$id"; fi
    done
}

FLOOD='
import random, sys, threading, time, urllib.error, urllib.request
end = time.monotonic() + float(sys.argv[1])
def ask():
    while (left := end - time.monotonic()) > 0.1:
        number = f"2%5E9941-{random.randrange(3, 10**9, 2)}"
        try:
            urllib.request.urlopen(f"http://nginx/primes/{number}?timeout={min(left, 60):.1f}", timeout=left + 5).read()
        except (OSError, urllib.error.HTTPError):
            time.sleep(0.1)
clients = [threading.Thread(target=ask) for _ in range(100)]
for client in clients: client.start()
for client in clients: client.join()
'

main() {
    NAME=${1:-} # not local: it is needed when the script ends
    local seconds=${2:-60}
    if [ "$NAME" = --help ]; then
        usage
        exit
    fi
    if ! [[ $NAME =~ ^[a-z-]+$ ]] || ! grep -qE "^  $NAME  " <<<"$(usage)" || ! [[ $seconds =~ ^[0-9]+$ ]]; then
        usage >&2
        exit 2
    fi
    say "$NAME for $seconds s; docs/faults.md says what is to be seen"
    interrupted=
    trap 'interrupted=yes' INT TERM
    trap 'trap "" INT TERM; apart mend "$NAME"; say "mended"' EXIT
    apart break_it "$NAME"
    [ -z "$interrupted" ] || exit 130
    trap 'exit 130' INT TERM
    last "$NAME" "$seconds"
}

main "$@"
