#!/usr/bin/env bash
# Builds stand-ins for the official images from Debian's packages, under the official names, where no image registry can be reached.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../engine/steps.sh
. "$HERE/../engine/steps.sh"

# The names that docker-compose.yml uses, each with the folder of its Dockerfile here. The order is that of the builds.
IMAGES=(
    "python:3.14-slim                       python"
    "nginx:1.30                             nginx"
    "redis:8.0                              redis"
    "prom/prometheus:v3.5.3                 prometheus"
    "prom/alertmanager:v0.33.1              alertmanager"
    "oliver006/redis_exporter:v1.86.0       redis-exporter"
    "nginx/nginx-prometheus-exporter:1.5.1  nginx-exporter"
)
BASE=primes-standin/debian:forky
ROOT_FILESYSTEM=primes-standin/debootstrap:forky
# Says that an image is ours, and from which Dockerfile and base: an image without it is the official one and is never replaced unasked.
LABEL=primes.standin
# Seconds that a registry gets to answer: it needs one or two; where packets are dropped it would be minutes.
REGISTRY_WAIT=${PRIMES_REGISTRY_WAIT:-20}

usage() {
    cat <<'HELP'
Usage: .ci/images/build.sh [--force | --list | --help]

Where an image registry answers, does nothing: `docker compose` will pull the official images.
Where none does, builds a stand-in for each image of docker-compose.yml that is not there yet or whose Dockerfile changed.
  --force  build all of them anew, even where a registry answers or an image of that name is there
  --list   print the names, one a line, and end
Needs a running engine (.ci/engine/start.sh) and, where it builds, root and Debian's apt.

Environment:
  PRIMES_STATE          the cached base file system  (default /tmp/primes-engine)
  PRIMES_REGISTRY_WAIT  seconds that a registry gets to answer  (default 20)
HELP
}

folder_hash() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum) | sha256sum | cut -c1-16; }
image_id() { docker image inspect --format '{{.Id}}' "$1" 2>/dev/null; }
image_label() { docker image inspect --format "{{index .Config.Labels \"$LABEL\"}}" "$1" 2>/dev/null; }

# What the label of an up-to-date stand-in says. The machine's own settings are not part of it: after they changed, use --force.
wanted_label() { printf '%s-%s\n' "$(folder_hash "$HERE/debian")" "$(folder_hash "$HERE/$1")"; }

# missing: the lines of IMAGES that have to be built.
missing() {
    local line tag folder label
    for line in "${IMAGES[@]}"; do
        read -r tag folder <<<"$line"
        if [ -n "$FORCE" ]; then
            echo "$line"
        elif [ -z "$(image_id "$tag")" ]; then
            echo "$line"
        else
            label=$(image_label "$tag")
            if [ -n "$label" ] && [ "$label" != "$(wanted_label "$folder")" ]; then echo "$line"; fi
        fi
    done
}

# Asks for an image that is needed anyway and is small (10 MB), so that the pull is not wasted where it succeeds.
registry_answers() { timeout "$REGISTRY_WAIT" docker pull --quiet oliver006/redis_exporter:v1.86.0 >/dev/null 2>&1; }

install_debootstrap() {
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends debootstrap
}

# forky is too young for Debian 12's debootstrap to have a script of that name: all Debian suites share the one of sid.
bootstrap() {
    local tree=$PRIMES_STATE/forky
    rm -rf "$tree"
    debootstrap --variant=minbase --include=ca-certificates forky "$tree" "$(debian_mirror)" /usr/share/debootstrap/scripts/sid
    # Images stay small: no recommended packages, no documentation, no package cache kept in a layer.
    cat >"$tree/etc/apt/apt.conf.d/90standin" <<'CONF'
APT::Install-Recommends "false";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
CONF
    printf 'path-exclude /usr/share/%s/*\n' doc man info locale >"$tree/etc/dpkg/dpkg.cfg.d/90standin"
    # Written elsewhere and renamed, so that an interrupted run leaves no half file.
    tar -C "$tree" --numeric-owner --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' --exclude='./usr/share/doc/*' \
        --exclude='./usr/share/man/*' --exclude='./usr/share/info/*' --exclude='./usr/share/locale/*' --exclude='./var/log/*' \
        --exclude='./dev/*' -cf "$PRIMES_STATE/forky.tar.part" .
    mv "$PRIMES_STATE/forky.tar.part" "$PRIMES_STATE/forky.tar"
    rm -rf --one-file-system "$tree"
}

import_root_filesystem() { docker import "$PRIMES_STATE/forky.tar" "$ROOT_FILESYSTEM"; }

# What the machine knows about its network goes into the base image; it stays out of the repository.
build_base() {
    local context=$PRIMES_STATE/debian
    rm -rf "$context"
    mkdir -p "$context/host/etc/ssl/certs" "$context/host/etc/apt/apt.conf.d"
    cp "$HERE/debian/Dockerfile" "$context/"
    cp -L /etc/ssl/certs/ca-certificates.crt "$context/host/etc/ssl/certs/"
    python3 "$HERE/debian/pip_settings.py" >"$context/host/etc/pip.conf"
    apt-config dump | { grep -E '^Acquire::https?::Proxy ' || true; } >"$context/host/etc/apt/apt.conf.d/91proxy"
    # The default builder is the engine itself: one in a container of its own would not see the engine's images.
    docker buildx build --builder default --load --tag "$BASE" "$context"
    rm -rf "$context"
}

build_image() {
    local tag=$1 folder=$2 options=()
    if [ -n "$FORCE" ]; then options+=(--no-cache); fi
    docker buildx build --builder default --load "${options[@]}" --label "$LABEL=$(wanted_label "$folder")" --tag "$tag" "$HERE/$folder"
}

main() {
    FORCE=
    case ${1:-} in
        '') ;;
        --force) FORCE=yes ;;
        --list) printf '%s\n' "${IMAGES[@]}" | cut -d' ' -f1; exit 0 ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; die "unknown argument: $1" ;;
    esac
    take_turns
    engine_answers || die "no Docker engine answers; start one with .ci/engine/start.sh"

    local lines line tag folder
    mapfile -t lines < <(missing)
    if [ "${#lines[@]}" -eq 0 ]; then
        say "        -  all ${#IMAGES[@]} images are there: none is built"
        exit 0
    fi
    if [ -z "$FORCE" ] && registry_answers; then
        say "        -  an image registry answers: no stand-in is needed"
        exit 0
    fi

    if [ -n "$FORCE" ] || [ -z "$(image_id "$ROOT_FILESYSTEM")" ]; then
        if [ ! -s "$PRIMES_STATE/forky.tar" ]; then
            need_root
            need_mirror
            command -v debootstrap >/dev/null || step "install debootstrap" install_debootstrap
            step "debootstrap forky" bootstrap
        fi
        step "import $ROOT_FILESYSTEM" import_root_filesystem
    fi
    step "build $BASE" build_base
    for line in "${lines[@]}"; do
        read -r tag folder <<<"$line"
        step "build $tag" build_image "$tag" "$folder"
    done
}

main "$@"
