#!/usr/bin/env bash
# Looks for weaknesses that scanners know, and prints what they find; status 0 if nothing: tests/scan/scan.sh FOLDER-OF-SCANNERS
set -euo pipefail
scanners=$(realpath "$1")
cd "$(dirname "$0")/../.."

"$scanners/bandit" --quiet --recursive --configfile pyproject.toml services clients certificates local reference

# nginx' files as the container has them, with hosts that are named: a check sees what it may let in.
files=$(mktemp -d)
trap 'rm -rf "$files"' EXIT
cp -r nginx/. "$files"
touch "$files/pair.pem"
PRIMES_WEB_SERVERS=web0:8000 PRIMES_TLS_CERTIFICATE=$files/pair.pem PRIMES_TLS_KEY=$files/pair.pem PRIMES_ALLOWED_HOSTS=example.org PRIMES_TRUSTED_PROXIES=192.0.2.1 \
    sh nginx/settings.sh >"$files/settings.conf"
sed -i "s#/tmp/settings.conf#$files/settings.conf#" "$files/hosts.conf"
skipped=(
    if_is_evil                         # both are tested: a file's version (expires), a method that is none of /jobs (error_page)
    add_header_redefinition            # files have headers of their own, and no X-Request-ID, since caches would keep it
    status_page_exposed                # its port is published nowhere, and only front reaches it
    worker_rlimit_nofile_vs_connections # whoever starts nginx limits its files: nginx.conf says why
)
(IFS=, && "$scanners/gixy" --skips "${skipped[*]}" "$files/nginx.conf")
