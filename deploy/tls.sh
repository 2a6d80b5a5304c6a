#!/usr/bin/env bash
# Makes a certificate for nginx, and an authority of one's own that signs it, for tests and first tries: deploy/tls.sh FOLDER HOST...
#
# FOLDER/tls.crt and FOLDER/tls.key are for nginx, FOLDER/ca.crt is for clients (primes --ca, NODE_EXTRA_CA_CERTS). Called again, the
# same authority signs a new pair. Its key is FOLDER/authority/ca.key: whoever has it can be any host for those that trust ca.crt.
set -euo pipefail
[[ $# -ge 2 ]] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
folder=$1
shift
DAYS=90 # of a certificate, as public authorities give; the authority has ten times as many

names=()
for host in "$@"; do
    [[ $host == *:* || $host =~ ^[0-9.]+$ ]] && names+=("IP:$host") || names+=("DNS:$host")
done
key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc)

# What openssl says of its progress is of interest when it fails alone.
certify() {
    local said
    said=$(openssl req -x509 "${key[@]}" "$@" 2>&1) || { echo "deploy/tls.sh: openssl made no certificate: $said" >&2; exit 1; }
}

mkdir -p "$folder" "$folder/authority"
chmod 700 "$folder/authority"
if [[ ! -e $folder/ca.crt ]]; then
    certify -keyout "$folder/authority/ca.key" -out "$folder/ca.crt" -days $((DAYS * 10)) \
        -subj "/CN=primes, an authority for tries" -addext keyUsage=critical,keyCertSign,cRLSign
fi
new=$(mktemp -d "$folder/new.XXXXXX")
trap 'rm -rf "$new"' EXIT
certify -keyout "$new/tls.key" -out "$new/tls.crt" -days $DAYS -CA "$folder/ca.crt" -CAkey "$folder/authority/ca.key" \
    -subj "/CN=$1" -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=serverAuth \
    -addext "subjectAltName=$(IFS=, && echo "${names[*]}")"
# nginx' user in the container. Who is not root cannot give it away, and has to let others read it.
if [[ $EUID = 0 ]]; then
    chmod 600 "$new/tls.key"
    chown 101 "$new/tls.key"
else
    chmod 644 "$new/tls.key"
    echo "$folder/tls.key can be read by everyone here, since nginx in its container is another user" >&2
fi
mv "$new/tls.key" "$new/tls.crt" "$folder/"
