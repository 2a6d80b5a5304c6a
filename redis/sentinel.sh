#!/bin/sh
# Starts a Sentinel: `sentinel.sh FIRST [ADDRESS]`, where FIRST is the address of the server that is the primary at the very first start.
# ADDRESS is its own for the others, where that is not what it has itself: a port of its machine.
# What it learns of others it notes itself in the file that is written here once; REDIS_OPTIONS are as those of node.sh.
set -eu

first=$1 address=${2:-}
settings=/data/sentinel.conf

if [ ! -s "$settings" ]; then
    password=$(cat /run/access/redis/sentinel-password)
    {
        echo "port 26379"
        echo "dir /data"
        echo "protected-mode no" # access is by ACL
        echo "aclfile /run/access/redis/sentinel.acl"
        if [ -n "$address" ]; then echo "sentinel announce-ip $address"; fi
        echo "sentinel monitor primes $first 6379 2"
        echo "sentinel auth-user primes sentinel"
        echo "sentinel auth-pass primes $password"
        echo "sentinel sentinel-user sentinel"
        echo "sentinel sentinel-pass $password"
        echo "sentinel down-after-milliseconds primes 1000"
        echo "sentinel failover-timeout primes 10000"
    } >"$settings.new"
    mv "$settings.new" "$settings"
fi

# shellcheck disable=SC2086  # options are words
exec redis-server "$settings" ${REDIS_OPTIONS:-} --sentinel
