#!/usr/bin/env bash
# Deploys the stack to the swarm of which this engine is a manager, or brings it to this version, container by container, while it serves.
set -euo pipefail
called=$PWD
cd "$(dirname "$0")"

usage() {
    cat <<'HELP'
Usage: deploy/swarm/up.sh [--help | --narrow]

Three nodes carry Redis, its Sentinels and their data, and are told so once:
  docker node update --label-add primes.redis=0 NODE      (and 1, and 2)
Each node must have the images primes-web, primes-worker and primes-nginx, from a registry (WEB_IMAGE, WORKER_IMAGE,
NGINX_STACK_IMAGE) or by `docker load`:
  docker compose build && docker build --file deploy/swarm/nginx.Dockerfile --tag primes-nginx nginx
Nodes reach each other on the ports 6379 and 26379, and nothing else may, unless REDIS_TLS_FOLDER is set.

Redis' users and their passwords are made at the first time, in the folder ACCESS, which is kept secret and kept.
During an update they may do what either version asks; --narrow, after it, leaves them what this version asks.

Environment: docs/settings.md, and
  ACCESS            folder of users and passwords  (default deploy/swarm/access)
  TLS_FOLDER        folder of nginx' certificate and key, tls.crt and tls.key: also port 443  (default: without)
  REDIS_TLS_FOLDER  folder of ca.crt, tls.crt and tls.key, whose certificate names the addresses of the three nodes: TLS to Redis and
                    Sentinels, and nothing without it  (default: without)
  STACK             name of the stack  (default primes)
  WEB_REPLICAS      web processes  (default 4)
  WORKER_REPLICAS   worker processes  (default 2)
  PATIENCE          seconds to wait until all run  (default 600)
deploy/tls.sh makes certificates. Renewed ones are taken by the next call.
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

# A folder, as whoever called names it: folder PATH
folder() { [[ $1 == /* ]] && echo "$1" || echo "$called/$1"; }

STACK=${STACK:-primes} PATIENCE=${PATIENCE:-600}
ACCESS=$(folder "${ACCESS:-$PWD/access}")
TLS_FOLDER=${TLS_FOLDER:+$(folder "$TLS_FOLDER")}
REDIS_TLS_FOLDER=${REDIS_TLS_FOLDER:+$(folder "$REDIS_TLS_FOLDER")}
export ACCESS TLS_FOLDER REDIS_TLS_FOLDER

# Dies unless these files are a certificate and its key: pair VARIABLE CERTIFICATE KEY
pair() {
    local public
    public=$(openssl x509 -in "$2" -noout -pubkey 2>&1) || die "$1: expected a certificate in PEM, got $2: $public"
    [[ $public == "$(openssl pkey -in "$3" -pubout 2>&1)" ]] || die "$1: expected the key of $2 in PEM, got $3"
    openssl x509 -in "$2" -noout -checkend 0 >/dev/null || die "$1: expected a certificate that is valid, got $2, which is over"
}

files=(--compose-file stack.yml)
scheme=redis
if [[ $TLS_FOLDER ]]; then
    pair TLS_FOLDER "$TLS_FOLDER/${TLS_CERTIFICATE:-tls.crt}" "$TLS_FOLDER/${TLS_KEY:-tls.key}"
    files+=(--compose-file tls.yml)
fi
if [[ $REDIS_TLS_FOLDER ]]; then
    pair REDIS_TLS_FOLDER "$REDIS_TLS_FOLDER/tls.crt" "$REDIS_TLS_FOLDER/tls.key"
    files+=(--compose-file redis-tls.yml)
    scheme=rediss
fi

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
if [[ $REDIS_TLS_FOLDER ]]; then
    for node in "$NODE0" "$NODE1" "$NODE2"; do
        told=$(openssl verify -CAfile "$REDIS_TLS_FOLDER/ca.crt" -untrusted "$REDIS_TLS_FOLDER/tls.crt" -verify_ip "$node" "$REDIS_TLS_FOLDER/tls.crt" 2>&1) ||
            die "REDIS_TLS_FOLDER: expected tls.crt to name $node and ca.crt to vouch for it: deploy/tls.sh $REDIS_TLS_FOLDER $NODE0 $NODE1 $NODE2 makes them"$'\n'"$told"
    done
fi

mkdir -p "$ACCESS"
chmod 700 "$ACCESS"
docker run --rm --network none --user "$(id -u):$(id -g)" --volume "$ACCESS:/access" --entrypoint python "${WORKER_IMAGE:-primes-worker}" \
    -m services.access "${widen[@]}" --redis-address "$scheme://$NODE0:6379,$scheme://$NODE1:6379,$scheme://$NODE2:6379" /access

# What changes has another name then, by these.
digest() { sha256sum "$1" | cut -c1-12; }
USERS_DIGEST=$(digest "$ACCESS/redis/users.acl")
SENTINEL_USERS_DIGEST=$(digest "$ACCESS/redis/sentinel.acl")
EXPORTER_PASSWORDS_DIGEST=$(digest "$ACCESS/exporter/passwords.json")
REDIS_DIGEST=$(digest ../../redis/redis.conf)
NODE_DIGEST=$(digest ../../redis/node.sh)
SENTINEL_DIGEST=$(digest ../../redis/sentinel.sh)
PROMETHEUS_DIGEST=$(digest prometheus.yml)
ALERTS_DIGEST=$(digest ../../monitoring/prometheus/rules/alerts.yml)
RECORDING_DIGEST=$(digest ../../monitoring/prometheus/rules/recording.yml)
export USERS_DIGEST SENTINEL_USERS_DIGEST EXPORTER_PASSWORDS_DIGEST REDIS_DIGEST NODE_DIGEST SENTINEL_DIGEST
export PROMETHEUS_DIGEST ALERTS_DIGEST RECORDING_DIGEST
if [[ $TLS_FOLDER ]]; then
    CERTIFICATE_DIGEST=$(digest "$TLS_FOLDER/${TLS_CERTIFICATE:-tls.crt}")
    export CERTIFICATE_DIGEST
fi
if [[ $REDIS_TLS_FOLDER ]]; then
    REDIS_CA_DIGEST=$(digest "$REDIS_TLS_FOLDER/ca.crt")
    REDIS_CERTIFICATE_DIGEST=$(digest "$REDIS_TLS_FOLDER/tls.crt")
    export REDIS_CA_DIGEST REDIS_CERTIFICATE_DIGEST
fi

# Redis knows the users of this version before any process of it asks, server by server: each next one waits until the last is back.
users=primes-users-$USERS_DIGEST
docker secret inspect "$users" >/dev/null 2>&1 || docker secret create "$users" "$ACCESS/redis/users.acl" >/dev/null
for server in redis0 redis1 redis2; do
    former=$(docker service inspect --format '{{range .Spec.TaskTemplate.ContainerSpec.Secrets}}{{.SecretName}} {{end}}' "${STACK}_$server" 2>/dev/null |
        grep -o 'primes-users-[0-9a-f]*') || continue
    [[ $former == "$users" ]] || docker service update --quiet --secret-rm "$former" --secret-add "source=$users,target=/run/access/redis/users.acl" "${STACK}_$server"
done

docker stack deploy --prune --resolve-image "${RESOLVE_IMAGE:-changed}" "${files[@]}" "$STACK"

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
