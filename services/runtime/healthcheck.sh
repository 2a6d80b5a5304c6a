#!/usr/bin/env bash
# Asks a process of this container whether it is ready, and prints what it says; status 0 if so: healthcheck.sh PORT [starting]
#
# "starting": once it was ready, it is asked whether it lives. For engines that kill what fails a check, where a process that waits for
# Redis is to be left alone, and one that never became ready is not to replace another.
# In bash alone, which starts no other program: it runs every few seconds in every container.
TIMEOUT=3 # seconds for the whole answer; Docker allows 4

path=/readyz
was_ready=/dev/shm/was-ready # gone with the container
[[ ${2:-} != starting || ! -e $was_ready ]] || path=/healthz

exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$path" >&3
IFS= read -r -d '' -t $TIMEOUT response <&3 # until the end; no NUL comes
printf '%s\n' "${response##*$'\r\n\r\n'}"
[[ ${response%%$'\r\n'*} == *' 200 '* ]] || exit 1
[[ ${2:-} != starting ]] || : >"$was_ready"
