#!/usr/bin/env bash
# Replaces the web and worker containers of a running stack one by one; `--help` says more.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'END'
usage: deploy/rolling.sh [--web-first] [--force-recreate] [--no-build]        (make deploy)

Builds the images, then replaces what runs with an older image or configuration: first each worker, then each web container. A new container
must be healthy before the next one is touched. nginx, Redis, Prometheus and the exporters are left alone.

Before that Redis' users get the rights that the new version needs, and keep those of the old one until all is replaced. A Redis whose users are
of a version that could not do so while it runs is restarted, once.

A new worker is started beside an old one, which then finishes or gives back what it holds and ends. There are as many afterwards as before.
A web container is stopped and a new one takes its place, while the others serve: its clients are sent to them.

When a new container does not become healthy nothing more is touched, the end of its log is shown, and the status is 1.
Ctrl-C ends it after the step under way. Run it again to go on with what is left.

  --web-first        web containers before workers: to go back to a version whose workers know less
  --force-recreate   replace containers that are up to date, too
  --no-build         use the images that are there
  --help             this text

COMPOSE_PROJECT_NAME and all variables of docker-compose.yml have to be those of the start. `make deploy` sets NOFILE as `make up` does.
END
}

PATIENCE=90  # seconds for a container to become healthy: Docker calls it unhealthy after 45 (30 to start, three checks in 15)
RESTARTS=3   # times that it may end and be started again meanwhile
LOG_LINES=30 # of a container that failed

build=yes force="" web_first=""
for argument in "$@"; do
    case $argument in
        --web-first) web_first=yes ;;
        --force-recreate) force=yes ;;
        --no-build) build="" ;;
        --help) usage && exit ;;
        *) printf 'deploy/rolling.sh: expected --web-first, --force-recreate, --no-build or --help, got %s\n' "$argument" >&2 && exit 2 ;;
    esac
done

# Two at once would count each other's workers. The lock is the deploy's too, below, and so lasts as long as that does.
exec 9<deploy/rolling.sh
if command -v flock >/dev/null && ! flock --nonblock 9; then
    echo "deploy/rolling.sh: another one is under way from this folder; run it again when that has ended" >&2
    exit 1
fi

todo=
interrupted=

say() { printf '%4d s  %s\n' "$SECONDS" "$*"; }

fail() {
    say "$*" >&2
    exit 1
}

# shellcheck disable=SC2329  # a trap calls it
finish() {
    local status=$?
    if [[ $status != 0 && -n $todo ]]; then
        say "not done: $todo. What runs goes on serving; run this again to go on." >&2
    fi
}

# Between two steps.
check_interrupted() { [[ -z $interrupted ]] || exit 130; }

# Wait until a container is healthy; else show the end of its log and return 1.
healthy() {
    local id=$1 name=$2 status=unknown health=unknown restarts=0 deadline=$((SECONDS + PATIENCE))
    while ((SECONDS < deadline)); do
        read -r status health restarts < <(
            docker inspect --format '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.RestartCount}}' "$id"
        )
        [[ $health != healthy ]] || return 0
        if [[ $health == unhealthy || $status == exited || $status == dead ]] || ((restarts >= RESTARTS)); then
            break
        fi
        sleep 0.5
    done
    say "$name is not healthy ($status, $health, restarted $restarts times). The end of its log:" >&2
    docker logs --tail "$LOG_LINES" "$id" >&2 || true
    return 1
}

containers() { docker compose ps --quiet "$@"; }

name_of() { docker inspect --format '{{slice .Name 1}}' "$1"; }

# What a container was made of, and what one of this service would be made of now: image and configuration.
made_of() { docker inspect --format '{{.Image}} {{index .Config.Labels "com.docker.compose.config-hash"}}' "$1"; }
wanted() {
    printf '%s %s' "$(docker image inspect --format '{{.Id}}' "primes-${1%%[0-9]*}")" "$(docker compose config --hash "$1" | cut -d ' ' -f 2)"
}

# Start what is missing of a service, and nothing else. (`up` with --no-deps would do so too, but leave a mark by which the next `up`
# takes the container for an outdated one, and would replace all at once.)
start() { docker compose --progress quiet up --detach --no-build --no-recreate "$@" || fail "${!#} could not be started"; }

end() {
    docker stop "$1" >/dev/null
    docker rm "$1" >/dev/null
}

# Whether Redis has read its file of users anew; says what it answers if not. One without its own user cannot be told to.
load_users() {
    # shellcheck disable=SC2016  # the shell in the container reads the password
    docker compose exec -T redis sh -c 'REDISCLI_AUTH=$(cat /run/access/redis/password) redis-cli --user redis ACL LOAD' 2>&1
}

# Write the file of users and have Redis read it.
bring_users() {
    local answer
    docker compose --progress quiet run --rm --no-deps -T access "$@" >/dev/null || fail "the file of Redis' users could not be written"
    answer=$(load_users) || true
    if [[ $answer == *WRONGPASS* ]]; then
        say "Redis has no user yet that may read its users anew: it is restarted"
        docker compose --progress quiet restart redis
        healthy "$(containers redis)" redis || exit 1
        answer=$(load_users) || true
    fi
    [[ $answer == OK ]] || fail "Redis did not read its users: expected OK, got $answer"
}

replace_web() {
    local service=$1 old did="is up to date"
    old=$(containers --all "$service")
    if [[ -z $old || -n $force || $(made_of "$old") != "$(wanted "$service")" ]]; then
        [[ -z $old ]] || end "$old"
        did="was replaced"
    fi
    [[ -n $(containers "$service") ]] || start "$service"
    healthy "$(containers --all "$service")" "$service" || exit 1
    say "$service $did and is healthy"
}

replace_worker() {
    local old=$1 workers=$2 known id name
    known=" $(containers worker | tr '\n' ' ')"
    # This and the end of the old one are one step, so that there are as many workers after an interruption as before.
    start --scale "worker=$((workers + 1))" worker
    for id in $(containers --all worker); do
        [[ $known != *" $id "* ]] || continue
        name=$(name_of "$id")
        if ! healthy "$id" "$name"; then
            docker rm --force "$id" >/dev/null
            exit 1
        fi
        say "$name was started and is healthy"
    done
    name=$(name_of "$old")
    end "$old"
    say "$name gave back what it held and is gone"
}

replace_workers() {
    local id workers
    # those that ended would be started again
    [[ -z $(containers --status exited worker) ]] || docker compose --progress quiet rm --force worker >/dev/null
    workers=$(containers worker | wc -l)
    ((workers > 0)) || fail "no worker runs: docker compose up --detach --wait worker starts them"
    for id in $(containers worker); do
        if [[ -z $force && $(made_of "$id") == "$(wanted worker)" ]]; then
            say "$(name_of "$id") is up to date"
            continue
        fi
        check_interrupted
        replace_worker "$id" "$workers"
    done
}

deploy() {
    local steps step
    trap finish EXIT
    trap 'interrupted=yes; say "interrupted: ends after this step"' USR1
    steps=$(docker compose config --services | grep '^web' | sort | xargs)
    # Web processes ask, workers answer: what answers must know first what may be asked.
    if [[ -n $web_first ]]; then steps+=" worker"; else steps="worker $steps"; fi
    [[ -n $(containers redis) ]] || fail "the stack does not run: make up starts it"
    todo=$steps
    if [[ -n $build ]]; then
        say "builds the images"
        docker compose build --quiet || fail "the images could not be built; nothing was replaced"
    fi
    bring_users --widen
    say "Redis' users may do what this version needs"
    for step in $steps; do
        check_interrupted
        if [[ $step == worker ]]; then replace_workers; else replace_web "$step"; fi
        todo=${todo#"$step"}
        todo=${todo# }
    done
    bring_users # the rights that only the old version needed go
    say "done"
}

# In a process group of its own, which Ctrl-C at the terminal does not reach: a step that is cut in two leaves a broken stack.
set -m
(set +m && deploy) </dev/null &
set +m
trap 'kill -USR1 $! 2>/dev/null || true' INT TERM
status=0
wait $! || status=$?
while kill -0 $! 2>/dev/null; do # a signal ended the wait, not the deploy
    status=0
    wait $! || status=$?
done
exit "$status"
