#!/bin/sh
# Does what the official entrypoint does: a lone option or configuration file means redis-server, and root becomes the user redis.
set -eu

case ${1:-} in
    -* | *.conf) set -- redis-server "$@" ;;
esac

# With `cap_drop: [ALL]` root can neither give files away nor become another user, so it stays root.
may_change_user() {
    [ "$(id -u)" = 0 ] && [ -z "${SKIP_DROP_PRIVS:-}" ] && setpriv --dump | grep -q 'Capability bounding set:.*setuid'
}

if [ "${1:-}" = redis-server ]; then
    if may_change_user; then
        find . \! -user redis -exec chown redis {} +
        exec setpriv --reuid redis --regid redis --clear-groups --nnp "$0" "$@"
    fi
    # What Redis writes holds what clients sent: nobody else needs to read it.
    if [ "$(umask)" = 0022 ]; then umask 0077; fi
    # The official binary is compiled with protected mode off, and a container that publishes no port needs none.
    # A configuration file decides for itself.
    case "$*" in
        *.conf* | *protected-mode*) ;;
        *) set -- "$@" --protected-mode no ;;
    esac
fi
exec "$@"
