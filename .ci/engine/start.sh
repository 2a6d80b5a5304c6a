#!/usr/bin/env bash
# Makes a Docker engine with Compose v2 and buildx available on a Debian 12+ machine that has none.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=steps.sh
. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

usage() {
    cat <<'HELP'
Usage: .ci/engine/start.sh [--help]

Uses the engine that answers `docker version`; where none does, installs docker.io (as root, with apt) and starts dockerd in the
background. Then makes sure that `docker compose` and `docker buildx` work. Safe to run again: what is there already is kept.
.ci/engine/stop.sh stops the engine that this script started, and no other.

Environment:
  PRIMES_STATE         log, pid file, downloads  (default /tmp/primes-engine)
  PRIMES_DOCKER_ROOT   the engine's data, on a real disk  (default /var/lib/primes-docker)
  PRIMES_ENGINE_WAIT   seconds to wait until the engine answers  (default 60)
HELP
}

PLUGINS=${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins
# The Debian release that carries Compose 2.26 and buildx 0.13; their static Go binaries run on Debian 12 too.
PLUGINS_SUITE=trixie
# A cold start takes 1-3 s; a minute is a guess for a slow disk.
WAIT=${PRIMES_ENGINE_WAIT:-60}

install_engine() {
    local packages=(docker.io iptables)
    # Without apparmor_parser no container starts on a kernel that has AppArmor switched on.
    if grep -qs Y /sys/module/apparmor/parameters/enabled; then packages+=(apparmor); fi
    # From Debian 13 on the client is a package of its own.
    if ! command -v docker >/dev/null && apt-cache show docker-cli >/dev/null 2>&1; then packages+=(docker-cli); fi
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${packages[@]}"
}

# Where systemd runs, installing docker.io has just started Debian's own service: use that one then.
package_started_engine() {
    [ -d /run/systemd/system ] || return 1
    systemctl start docker.service >/dev/null 2>&1 || return 1
    any_client_answers
}

start_engine() {
    mkdir -p "$PRIMES_DOCKER_ROOT"
    if engine_runs; then
        echo "dockerd, process $(cat "$PRIMES_STATE/docker.pid"), runs but does not answer; end it with .ci/engine/stop.sh"
        exit 1
    fi
    # A machine that was switched off leaves the pid file behind, and dockerd refuses to start when another process has that number now.
    rm -f "$PRIMES_STATE/docker.pid"
    ulimit -n "$(ulimit -Hn)"
    # The socket is the default one, so that every client finds the engine without being told.
    setsid nohup dockerd \
        --host unix:///var/run/docker.sock \
        --data-root "$PRIMES_DOCKER_ROOT" \
        --exec-root "$PRIMES_STATE/exec" \
        --pidfile "$PRIMES_STATE/docker.pid" \
        >"$PRIMES_STATE/dockerd.log" 2>&1 </dev/null 9>&- &
    local pid=$! until=$((SECONDS + WAIT))
    while ! any_client_answers; do
        if ! kill -0 "$pid" 2>/dev/null || [ "$SECONDS" -ge "$until" ]; then
            grep -v level=info "$PRIMES_STATE/dockerd.log" | tail -n 20
            if kill "$pid" 2>/dev/null; then
                echo "dockerd did not answer within $WAIT s (PRIMES_ENGINE_WAIT) and was ended"
            else
                echo "dockerd ended by itself; all of its log is in $PRIMES_STATE/dockerd.log"
            fi
            exit 1
        fi
        sleep 0.2
    done
}

# A client may be too new or too old for the engine (from 29 on, clients refuse Debian 12's engine): then Debian's own goes first on PATH.
choose_client() {
    if engine_answers; then
        # An earlier run's choice stays as long as it is what makes this work.
        [ "$(command -v docker)" = "$PRIMES_STATE/bin/docker" ] || rm -f "$PRIMES_STATE/env"
        return
    fi
    mkdir -p "$PRIMES_STATE/bin"
    ln -sf /usr/bin/docker "$PRIMES_STATE/bin/docker"
    # shellcheck disable=SC2016  # $PATH is for whoever reads the file
    printf 'export PATH="%s:$PATH"\n' "$PRIMES_STATE/bin" >"$PRIMES_STATE/env"
    say "warning: $(command -v docker) cannot talk to this engine, /usr/bin/docker can; in your shell, first run:  . $PRIMES_STATE/env"
    # shellcheck disable=SC1091  # made just now
    . "$PRIMES_STATE/env"
    hash -r
}

# The plugin packages come from a newer release than the machine's: an apt configuration of its own keeps them out of the machine's.
fetch_plugins() {
    local work=$PRIMES_STATE/plugins apt deb mirror
    mirror=$(debian_mirror)
    rm -rf "$work"
    mkdir -p "$work/lists" "$work/cache"
    cd "$work"
    printf 'deb [signed-by=%s] %s %s main\n' /usr/share/keyrings/debian-archive-keyring.gpg "$mirror" "$PLUGINS_SUITE" >sources.list
    # Root does the download: apt's own user cannot write to the state directory.
    apt=(apt-get -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$work/lists"
        -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root -o Acquire::Languages=none)
    "${apt[@]}" update
    "${apt[@]}" download docker-compose docker-buildx
    mkdir -p "$PLUGINS"
    for deb in ./*.deb; do
        dpkg-deb --fsys-tarfile "$deb" | tar -x ./usr/libexec/docker/cli-plugins
    done
    # An existing plugin that works stays; `install` replaces a broken one in one step.
    docker compose version >/dev/null 2>&1 || install -m 755 usr/libexec/docker/cli-plugins/docker-compose "$PLUGINS/"
    docker buildx version >/dev/null 2>&1 || install -m 755 usr/libexec/docker/cli-plugins/docker-buildx "$PLUGINS/"
    cd /
    rm -rf "$work"
}

main() {
    case ${1:-} in
        '') ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; die "unknown argument: $1" ;;
    esac
    take_turns
    if any_client_answers; then
        say "        -  an engine answers already: none is started"
    else
        need_root
        if [ -n "${DOCKER_HOST:-}" ]; then die "DOCKER_HOST is set to $DOCKER_HOST, where no engine answers; unset it to start one here"; fi
        if ! command -v dockerd >/dev/null || ! command -v iptables >/dev/null; then
            step "apt-get update" apt-get update
            step "install docker.io and iptables" install_engine
            hash -r
        fi
        if package_started_engine; then
            say "        -  systemd runs docker.service: that engine is used (stop.sh leaves it alone)"
        else
            step "start dockerd" start_engine
        fi
    fi
    choose_client
    if ! docker compose version >/dev/null 2>&1 || ! docker buildx version >/dev/null 2>&1; then
        need_mirror
        step "fetch the compose and buildx plugins" fetch_plugins
    fi
    docker compose version >/dev/null 2>&1 || die "\`docker compose\` does not work: $(docker compose version 2>&1 | tail -n 1)"
    docker buildx version >/dev/null 2>&1 || die "\`docker buildx\` does not work: $(docker buildx version 2>&1 | tail -n 1)"
    say "ready: $(docker version --format 'engine {{.Server.Version}}, client {{.Client.Version}} (API {{.Client.APIVersion}})'), compose $(docker compose version --short), $(docker buildx version | cut -d' ' -f2)"
}

main "$@"
