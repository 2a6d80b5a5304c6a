#!/usr/bin/env bash
# Asks a process of this container whether it is ready, and prints what it says; status 0 if so: healthcheck.sh PORT
# In bash alone, which starts no other program: it runs every few seconds in every container.
TIMEOUT=3 # seconds for the whole answer; Docker allows 4

exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
printf 'GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
IFS= read -r -d '' -t $TIMEOUT response <&3 # until the end; no NUL comes
printf '%s\n' "${response##*$'\r\n\r\n'}"
[[ ${response%%$'\r\n'*} == *' 200 '* ]]
