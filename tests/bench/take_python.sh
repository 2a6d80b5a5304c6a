#!/usr/bin/env bash
# Brings Python 3.14, as the images have it, onto an older Debian: for `make bench ARGS='--python build/bench/python3.14/usr/bin/python3.14'`
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source-path=SCRIPTDIR source=../../.ci/engine/steps.sh
. .ci/engine/steps.sh

usage() {
    cat <<'HELP'
Usage: tests/bench/take_python.sh [--help]

Takes python3.14 and the libraries that it needs from Debian forky, the release of the stand-in images, by apt from the machine's own
mirror, unpacks them into build/bench/python3.14 and has the program load those libraries and no others of the machine. Nothing is
installed, no root is needed. Needs patchelf, which `make bench` installs.
HELP
}

case ${1:-} in
    '') ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; die "unknown argument: $1" ;;
esac

SUITE=forky # as .ci/images/build.sh has
PACKAGES=(python3.14 python3.14-minimal libpython3.14-minimal libpython3.14-stdlib libc6 libbz2-1.0 libexpat1 libffi8 libgcc-s1
    liblzma5 libsqlite3-0 libssl3t64 libstdc++6 libuuid1 libzstd1 zlib1g)
PATH=$PWD/.venv/bin:$PATH
command -v patchelf >/dev/null || die "no patchelf; make .venv/bench installs it"

mirror=$(debian_mirror)
[ -n "$mirror" ] || die "apt knows no Debian mirror (run apt-get update; \`apt-get indextargets\` lists no target of origin Debian)"
target=$PWD/build/bench/python3.14
work=$target.part
rm -rf "$work"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/packages"
# An apt configuration of its own keeps the newer release out of the machine's.
printf 'deb [signed-by=%s] %s %s main\n' /usr/share/keyrings/debian-archive-keyring.gpg "$mirror" "$SUITE" >"$work/sources.list"
apt=(apt-get -qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$work/lists"
    -o "Dir::Cache=$work/cache" -o "APT::Sandbox::User=$(id -un)" -o Acquire::Languages=none)
"${apt[@]}" update
(cd "$work/packages" && "${apt[@]}" download "${PACKAGES[@]}")
for package in "$work"/packages/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$work"
done
rm -rf "$work/lists" "$work/cache" "$work/packages" "$work/sources.list" "$target"
mv "$work" "$target"
libraries=$(dirname "$target"/usr/lib/*-linux-gnu/libc.so.6)
patchelf --set-interpreter "$(echo "$libraries"/ld-linux-*.so.*)" --force-rpath --set-rpath "$libraries" "$target/usr/bin/python3.14"
"$target/usr/bin/python3.14" -c 'import ssl, sqlite3, sys; print("Python", sys.version)'
