#!/usr/bin/env bash
# Installs dist/'s package for this machine in a fresh Debian of its own, runs the demo there, removes the package, and looks for what
# it left. Needs root, debootstrap and a network: a few minutes and 1 GB of disk.
#
#	tools/test-deb.sh [PACKAGE.deb]
#
# SUITE (bookworm) and MIRROR (that of /etc/apt) say which Debian.
set -euo pipefail
cd "$(dirname "$0")/.."
die() { echo "test-deb: $*" >&2; exit 1; }

[[ $(id -u) -eq 0 ]] || die "needs root, for chroot"
command -v debootstrap >/dev/null || die "debootstrap is needed and not found (apt-get install debootstrap)"
packages=("${1:-}")
[[ -n ${packages[0]} ]] || packages=(dist/mmrun_*_"$(dpkg --print-architecture)".deb)
[[ ${#packages[@]} -eq 1 && -f ${packages[0]} ]] || die "one package is needed, not ${packages[*]}; make dist makes it"
suite=${SUITE:-bookworm}
mirror=${MIRROR:-$(sed -n 's/^URIs: *//p; s/^deb  *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\) .*/\2/p' /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | head -n 1 || true)}
mirror=${mirror:-http://deb.debian.org/debian}

root=$(mktemp -d)
cleanup() {
	umount "$root/proc" 2>/dev/null || true
	rm -rf --one-file-system "$root"
}
trap cleanup EXIT
echo "== a fresh $suite"
debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$root.log" 2>&1 || { tail -n 20 "$root.log" >&2; die "debootstrap failed"; }
rm -f "$root.log"
for file in /etc/apt/apt.conf.d/*proxy* /etc/resolv.conf; do [[ ! -f $file ]] || cp "$file" "$root$file"; done
mount -t proc proc "$root/proc" 2>/dev/null || echo "test-deb: no /proc in the chroot" >&2
echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io" # it lives for minutes
# Caches of mmrun and of Mesa belong to who runs them, not to the package: they go where the demo runs.
inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp/home MESA_SHADER_CACHE_DIR=/tmp/home DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"; }

# What mmrun depends on and recommends is there before the first look, so that only its own files come and go.
echo "== what it depends on"
inside apt-get -qq update
inside apt-get -qq install --yes --no-install-recommends libvulkan1 mesa-vulkan-drivers >/dev/null
files() { (cd "$root" && find . -path ./proc -prune -o -path ./tmp -prune -o -path ./var/log -prune -o -path ./var/cache -prune -o -path ./var/lib/dpkg -prune -o -path ./var/lib/apt -prune -o -print) | sort; }
before=$(files)

echo "== install"
cp "${packages[0]}" "$root/tmp/mmrun.deb"
inside apt-get -qq install --yes --no-install-recommends /tmp/mmrun.deb >/dev/null
inside mkdir -p /tmp/home
inside mmrun version
[[ -n $(comm -13 <(echo "$before") <(files)) ]] || die "the package installed nothing"
inside dpkg --verify mmrun

echo "== the demo"
said=$(inside sh -c 'cd /tmp/home && mmrun demo')
echo "$said"
grep -q '^which is  *right ' <<<"$said" || die "the MemMamba's answer is not right"
[[ -s $root/tmp/home/mmrun-demo.html ]] || die "there is no page"

echo "== remove"
inside apt-get -qq purge --yes mmrun >/dev/null
left=$(diff <(echo "$before") <(files) || true)
[[ -z $left ]] || die "removal left, or took away:"$'\n'"$left"
inside sh -c '! command -v mmrun' || die "mmrun is still there"
echo "== nothing is left"
