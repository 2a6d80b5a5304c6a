#!/bin/sh
# Prints settings.conf, the settings of the environment as nginx' directives, since nginx itself reads no environment.
# A bad value is named on stderr, and ends it with status 1. docs/settings.md tells what each is for.
set -euf # f: a * in a list names no files

# Let in on both ports whatever is set: the loopback's names, which no page of elsewhere can have, and nginx' own in the
# stack, by which the canary asks.
OWN_HOSTS="localhost 127.0.0.1 [::1] nginx"

refuse() { # NAME EXPECTED VALUE
    echo "nginx: $1: expected $2, got '$3'" >&2
    exit 1
}

# The members of a list that commas separate, or refuses it: list NAME VALUE PATTERN EXPECTED
list() {
    for member in $(printf '%s' "$2" | tr ',' ' '); do
        printf '%s\n' "$member" | grep -Eqx "$3" || refuse "$1" "$4" "$member"
        echo "$member"
    done
}

# The number, or refuses it: number NAME VALUE
number() {
    echo "$2" | grep -Eqx '0|[1-9][0-9]{0,5}' || refuse "$1" "a number from 0 to 999999" "$2"
    echo "$2"
}

# A map from the name that the client asked for to whether it may: hosts VARIABLE OTHERS NAMES
hosts() {
    echo "map \$asked_host \$$1 {"
    echo "    hostnames; # without regard to a final dot"
    echo "    default $2;"
    # shellcheck disable=SC2086  # each name is a word
    printf '%s\n' $OWN_HOSTS $3 | tr '[:upper:]' '[:lower:]' | sort -u | sed 's/.*/    & 1;/'
    echo "}"
}

label='[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?'
host="([*][.])?$label([.]$label)*|\[[0-9A-Fa-f:.]+\]"
hosts_expected="hosts such as example.org, *.example.org, 192.0.2.1 or [2001:db8::1], separated by commas, without ports"

allowed=${PRIMES_ALLOWED_HOSTS:-*}
if [ "$allowed" = "*" ]; then
    hosts host_allowed 1 ""
else
    names=$(list PRIMES_ALLOWED_HOSTS "$allowed" "$host" "* alone or $hosts_expected")
    hosts host_allowed 0 "$names"
fi
names=$(list PRIMES_OPERATORS_HOSTS "${PRIMES_OPERATORS_HOSTS:-}" "$host" "$hosts_expected")
hosts operators_host_allowed 0 "$names"

# Behind proxies that are trusted, the client is the last in X-Forwarded-For that is none of them: what stands before that,
# clients may have written themselves.
address='[0-9]{1,3}([.][0-9]{1,3}){3}(/[0-9]{1,2})?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(/[0-9]{1,3})?'
proxies=$(list PRIMES_TRUSTED_PROXIES "${PRIMES_TRUSTED_PROXIES:-}" "$address" "addresses or networks such as 192.0.2.0/24, separated by commas")
if [ -n "$proxies" ]; then
    echo "real_ip_header X-Forwarded-For;"
    echo "real_ip_recursive on;"
    echo "$proxies" | sed 's/.*/set_real_ip_from &;/'
fi

# A zone has room for all sockets that four workers of nginx can carry (worker_connections), at 64 bytes each.
sockets=$(number PRIMES_SOCKETS_PER_ADDRESS "${PRIMES_SOCKETS_PER_ADDRESS:-1024}")
if [ "$sockets" != 0 ]; then
    echo "limit_conn_zone \$socket_of zone=sockets:4m;"
    echo "limit_conn sockets $sockets;"
fi

# What 40 seconds allow may come at once: when a web process stops, all that it had come back.
handshakes=$(number PRIMES_HANDSHAKES_PER_ADDRESS "${PRIMES_HANDSHAKES_PER_ADDRESS:-50}")
if [ "$handshakes" != 0 ]; then
    echo "limit_req_zone \$socket_of zone=handshakes:4m rate=${handshakes}r/s;"
    echo "limit_req zone=handshakes burst=$((handshakes * 40)) nodelay;"
fi
