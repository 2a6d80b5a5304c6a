#!/usr/bin/env bash
# Deploys the stack to the swarm of which this engine is a manager, or brings it to this version, container by container, while it serves.
set -euo pipefail
cd "$(dirname "$0")"

usage() {
    cat <<'HELP'
Usage: deploy/swarm/up.sh [--help | --narrow]

Three nodes carry Redis, its Sentinels and their data, and are told so once:
  docker node update --label-add primes.redis=0 NODE      (and 1, and 2)
Each node must have the images primes-web, primes-worker and primes-nginx, from a registry (WEB_IMAGE, WORKER_IMAGE,
NGINX_STACK_IMAGE) or by `docker load`:
  docker compose build && docker build --file deploy/swarm/nginx.Dockerfile --tag primes-nginx nginx
Nodes reach each other on the ports 6379 and 26379, and nothing else may: there is no TLS on them.

Redis' users and their passwords are made at the first time, in the folder ACCESS, which is kept secret and kept.
During an update they may do what either version asks; --narrow, after it, leaves them what this version asks.

Environment: docs/settings.md, and
  ACCESS          folder of users and passwords  (default ./access here)
  STACK           name of the stack  (default primes)
  WEB_REPLICAS    web processes  (default 4)
  WORKER_REPLICAS worker processes  (default 2)
  PATIENCE        seconds to wait until all run  (default 600)
HELP
}

die() {
    echo "$*" >&2
    exit 1
}

widen=(--widen)
case ${1:-} in
    '') ;;
    --narrow) widen=() ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; die "unknown argument: $1" ;;
esac

STACK=${STACK:-primes} PATIENCE=${PATIENCE:-600}
export ACCESS=${ACCESS:-$PWD/access}

[[ $(docker info --format '{{.Swarm.ControlAvailable}}' 2>/dev/null) == true ]] || die "this engine is no manager of a swarm: docker swarm init, or DOCKER_HOST"

# The address of a node, as the others have it: address INDEX
address() {
    local id
    id=$(docker node ls --quiet --filter "node.label=primes.redis=$1")
    [[ $id && $id != *$'\n'* ]] || die "expected one node with the label primes.redis=$1, got ${id:-none}: docker node update --label-add primes.redis=$1 NODE"
    docker node inspect --format '{{if .ManagerStatus}}{{.ManagerStatus.Addr}}{{else}}{{.Status.Addr}}{{end}}' "$id" | sed 's/:[0-9]*$//'
}
NODE0=$(address 0) NODE1=$(address 1) NODE2=$(address 2)
export NODE0 NODE1 NODE2

mkdir -p "$ACCESS"
chmod 700 "$ACCESS"
docker run --rm --network none --user "$(id -u):$(id -g)" --volume "$ACCESS:/access" --entrypoint python "${WORKER_IMAGE:-primes-worker}" \
    -m services.access "${widen[@]}" /access

digest() { sha256sum "$1" | cut -c1-12; }
USERS_DIGEST=$(digest "$ACCESS/redis/users.acl")
SENTINEL_USERS_DIGEST=$(digest "$ACCESS/redis/sentinel.acl")
REDIS_DIGEST=$(digest ../../redis/redis.conf)
NODE_DIGEST=$(digest ../../redis/node.sh)
SENTINEL_DIGEST=$(digest ../../redis/sentinel.sh)
PROMETHEUS_DIGEST=$(digest prometheus.yml)
ALERTS_DIGEST=$(digest ../../monitoring/prometheus/rules/alerts.yml)
RECORDING_DIGEST=$(digest ../../monitoring/prometheus/rules/recording.yml)
export USERS_DIGEST SENTINEL_USERS_DIGEST REDIS_DIGEST NODE_DIGEST SENTINEL_DIGEST PROMETHEUS_DIGEST ALERTS_DIGEST RECORDING_DIGEST

# Redis knows the users of this version before any process of it asks, server by server: each next one waits until the last is back.
users=primes-users-$USERS_DIGEST
docker secret inspect "$users" >/dev/null 2>&1 || docker secret create "$users" "$ACCESS/redis/users.acl" >/dev/null
for server in redis0 redis1 redis2; do
    former=$(docker service inspect --format '{{range .Spec.TaskTemplate.ContainerSpec.Secrets}}{{.SecretName}} {{end}}' "${STACK}_$server" 2>/dev/null |
        grep -o 'primes-users-[0-9a-f]*') || continue
    [[ $former == "$users" ]] || docker service update --quiet --secret-rm "$former" --secret-add "source=$users,target=/run/access/redis/users.acl" "${STACK}_$server"
done

docker stack deploy --prune --resolve-image "${RESOLVE_IMAGE:-changed}" --compose-file stack.yml "$STACK"

# Until every service has all that it wants, and no update goes on: what is not there yet is told, once each.
missing() {
    docker stack services --format '{{.Name}} {{.Replicas}}' "$STACK" | awk '{ split($2, n, "/"); if (n[1] != n[2]) print $1, $2 }'
    docker stack services --quiet "$STACK" | xargs docker service inspect --format '{{.Spec.Name}} {{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}' |
        grep -Ev ' (completed|rollback_completed)?$' || true
}
told='' until=$((SECONDS + PATIENCE))
while waiting=$(missing) && [[ $waiting ]]; do
    [[ $waiting == "$told" ]] || echo "waiting for: ${waiting//$'\n'/, }"
    told=$waiting
    [[ $SECONDS -lt $until ]] || die "not all runs after $PATIENCE s; docker service ps SERVICE tells why"
    sleep 1
done
back=$(docker stack services --quiet "$STACK" | xargs docker service inspect --format '{{.Spec.Name}} {{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}' |
    grep ' rollback_completed$' || true)
[[ ! $back ]] || die "taken back, since the new containers did not live: $back"
echo "all services run: http://$NODE0/"
