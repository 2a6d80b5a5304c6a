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

# How long browsers that came by TLS ask for nothing else: a header of what is answered over TLS (RFC 6797 wants it nowhere else).
hsts=$(echo "${PRIMES_HSTS_SECONDS:-31536000}" | grep -Ex '0|[1-9][0-9]{0,8}') ||
    refuse PRIMES_HSTS_SECONDS "a number from 0 to 999999999" "$PRIMES_HSTS_SECONDS"
echo "map \$https \$hsts {"
echo "    default '';    # no header"
[ "$hsts" = 0 ] || echo "    on      max-age=$hsts;"
echo "}"

# Whether plain HTTP is sent to https://. Not what the stack itself asks by its own names, and no probe of a load balancer.
redirect=${PRIMES_HTTPS_REDIRECT:-false}
echo "$redirect" | grep -Eqx 'true|false' || refuse PRIMES_HTTPS_REDIRECT "true or false" "$redirect"
echo "map \"\$scheme \$asked_host \$uri\" \$to_https {"
echo "    volatile;"
echo "    default 0;"
# shellcheck disable=SC2016  # nginx' variables
[ "$redirect" = false ] || echo '    "~^http (?!(?:localhost|127\.0\.0\.1|\[::1\]|nginx) )[^ ]+ (?!/(?:healthz|readyz|error)$)" 1;'
echo "}"

# Certificate and key, in files that may be replaced at any time. Read with the first handshakes, by workers that are not
# root: that they can be read is looked at here.
if [ -n "${PRIMES_TLS_CERTIFICATE:-}${PRIMES_TLS_KEY:-}" ]; then
    readable() { # NAME FILE
        echo "$2" | grep -Eqx '/[A-Za-z0-9._/-]+' && [ -r "$2" ] ||
            refuse "$1" "the path of a file that user $(id -u) can read, of letters, digits, '.', '_', '-' and '/'" "$2"
    }
    readable PRIMES_TLS_CERTIFICATE "${PRIMES_TLS_CERTIFICATE:-}"
    readable PRIMES_TLS_KEY "${PRIMES_TLS_KEY:-}"
    echo "map \"\" \$tls_certificate { default $PRIMES_TLS_CERTIFICATE; }"
    echo "map \"\" \$tls_key { default $PRIMES_TLS_KEY; }"
    echo "include hosts.tls.conf;"
elif [ "$redirect" = true ]; then
    refuse PRIMES_HTTPS_REDIRECT "a certificate and a key (PRIMES_TLS_CERTIFICATE, PRIMES_TLS_KEY) to go with it" true
fi

# The web processes by name, for hosts.conf; hosts.local.conf has its own. A name may have many addresses, each a process.
#
# zone: what the workers must agree on, addresses, failures, connection counts; room for some hundreds of processes.
# least_conn: not round robin, the default: sockets live for hours, so after a redeploy the new process would stay
# empty while its neighbours keep what they took over.
# fail_timeout: a process to which no connection could be made is left alone for one second (default 10), so it serves
# again as soon as it is back. Those of a machine that vanished have the fewest connections of all, and cost a request
# proxy_connect_timeout (proxy.conf) each: the first of three must be left alone still when the third was tried.
# resolver: asking every second finds a container that came back with another address without a reload. A name that
# does not resolve (yet) has no server; nginx starts all the same.
upstream() { # NAME HOST:PORT...
    echo "upstream $1 {"
    echo "    zone $1 1m;"
    echo "    least_conn;"
    shift
    printf '    server %s resolve max_fails=1 fail_timeout=1s;\n' "$@"
    echo "}"
}
if [ -n "${PRIMES_WEB_SERVERS:-}" ]; then
    servers=$(list PRIMES_WEB_SERVERS "$PRIMES_WEB_SERVERS" "$label([.]$label)*:[1-9][0-9]{0,4}" \
        "names with ports such as web0:8000, separated by commas")
    resolver=$(list PRIMES_RESOLVER "${PRIMES_RESOLVER:-127.0.0.11}" "$label([.]$label)*(:[1-9][0-9]{0,4})?" \
        "the name or IPv4 address of a DNS server")
    echo "resolver $resolver valid=1s ipv6=off;"
    echo "resolver_timeout 2s;"
    # shellcheck disable=SC2086  # each server is a word
    upstream frontends $servers
    # shellcheck disable=SC2046
    upstream operators $(echo "$servers" | sed 's/:.*/:9000/' | sort -u)
fi
