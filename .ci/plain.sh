#!/usr/bin/env bash
# Runs a command as root's opposite: a user without privileges, engine or network, in a copy of the tree with a home of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
NOBODY=65534 # user and group, on every Linux

if [[ ${1:-} == '' || $1 == -h || $1 == --help ]]; then
    echo "Usage: .ci/plain.sh COMMAND...   (where this is not root, the command runs here, as it is)" >&2
    exit 2
fi
[[ $(id -u) == 0 ]] || exec "$@"
python=$(readlink -f .venv)/bin/python

become=(setpriv "--reuid=$NOBODY" "--regid=$NOBODY" --clear-groups --no-new-privs)
bare=(--inh-caps=-all --bounding-set=-all)
# What the virtual environment links to may lie in root's own home: then the user may read all that root may, and still write nothing.
# A shell is asked, since setpriv itself still has root's rights when it looks for its command.
only_reading=-all,+dac_read_search
reader=("--inh-caps=$only_reading" "--ambient-caps=$only_reading" "--bounding-set=$only_reading")
if "${become[@]}" "${bare[@]}" sh -c "'$python' -c ''" 2>/dev/null; then become+=("${bare[@]}"); else become+=("${reader[@]}"); fi

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
mkdir "$place/tree" "$place/home" "$place/bin"
left_out=(--exclude=./.venv --exclude=./.git --exclude=./.local --exclude='./.*_cache' --exclude='__pycache__')
# Status 1 says that something changed meanwhile: what runs beside this makes its caches in the same folder.
{ tar --create --warning=no-file-changed "${left_out[@]}" . || [[ $? == 1 ]]; } | tar --extract --directory="$place/tree"
ln -s "$(readlink -f .venv)" "$place/tree/.venv"
# Everything that PATH has, the first of each name, except Docker.
IFS=: read -r -a folders <<<"$PATH"
for folder in "${folders[@]}"; do ln -s "$folder"/* "$place/bin/" 2>/dev/null || true; done
rm -f "$place"/bin/docker*
chown -R -h $NOBODY:$NOBODY "$place"

# A namespace of its own has the loopback interface alone, and that has to be switched on: flags up and running, by SIOCSIFFLAGS.
alone=(unshare --net)
"${alone[@]}" true 2>/dev/null || { echo "no network namespace can be made here: the command has this machine's network"; alone=(); }
cd "$place/tree"
# shellcheck disable=SC2016  # the inner shell fills in its own arguments
"${alone[@]}" bash -c '
    "$1" -c "import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack(\"16sh\", b\"lo\", 0x41))"
    exec "${@:2}"' bash "$python" "${become[@]}" env HOME="$place/home" PATH="$place/bin" TMPDIR="$place/home" "$@"
