#!/bin/sh
# Starts one of several servers of Redis: `node.sh ADDRESS FIRST`, its own and that of the one that is the primary at the very first start.
# Sentinels make another one the primary later; Redis itself notes that in the file that is written here once.
# REDIS_OPTIONS, if there are any, are said anew at each start: how it listens, where that may change.
set -eu

address=$1 first=$2
settings=/data/redis.conf

if [ ! -s "$settings" ]; then
    {
        echo "include /etc/redis/redis.conf"
        echo "dir /data"
        echo "aclfile /run/access/redis/users.acl"
        echo "replica-announce-ip $address"
        echo "masteruser replica"
        echo "masterauth $(cat /run/access/redis/replica-password)"
        # A primary that no replica follows takes no writes: another may have taken its place.
        echo "min-replicas-to-write 1"
        echo "min-replicas-max-lag 3"
        echo "repl-diskless-sync-delay 0" # nothing is written until the first replica has all
        if [ "$address" != "$first" ]; then echo "replicaof $first 6379"; fi
    } >"$settings.new"
    mv "$settings.new" "$settings"
fi

# shellcheck disable=SC2086  # options are words
exec redis-server "$settings" ${REDIS_OPTIONS:-}
