#!/usr/bin/env bash
# Another Debian's Mesa beside the one that is installed, without root: its packages are fetched by apt and
# unpacked in a folder, and a program runs with their C library, Vulkan loader and lavapipe.
#
#   tools/mesa.sh get SUITE              trixie or sid, say; once it is there, nothing
#   tools/mesa.sh run SUITE COMMAND ...  such as bin/mmrun devices; "go test -exec" takes it up to SUITE
#
# The folders lie in MMRUN_MESA, or ~/.cache/mmrun/mesa. It needs apt and some 700 MB for each.
set -euo pipefail

die() { echo "mesa: $*" >&2; exit 1; }
[[ $# -ge 2 ]] || die "usage: tools/mesa.sh get SUITE, or tools/mesa.sh run SUITE COMMAND ..."
what=$1 suite=$2
shift 2
arch=$(dpkg --print-architecture 2>/dev/null) || die "this is no Debian or Ubuntu"
home=$(realpath -m "${MMRUN_MESA:-${XDG_CACHE_HOME:-$HOME/.cache}/mmrun/mesa}")/$suite
root=$home/root

get() {
	[[ ! -e $home/ready ]] || return 0
	rm -rf "$home"
	mkdir -p "$home"/{lists/partial,archives/partial,root}
	touch "$home/status" # nothing is installed, so that all that is needed comes
	local key=/usr/share/keyrings/debian-archive-keyring.gpg
	echo "deb [signed-by=$key] ${MMRUN_MIRROR:-http://deb.debian.org/debian} $suite main" >"$home/sources.list"
	local apt=(apt-get -qq -o "Dir::Etc::sourcelist=$home/sources.list" -o Dir::Etc::sourceparts=/dev/null
		-o "Dir::State::lists=$home/lists" -o "Dir::State::status=$home/status" -o "Dir::Cache=$home"
		-o "Dir::Cache::archives=$home/archives" -o APT::Sandbox::User= -o Debug::NoLocking=1
		-o APT::Architecture="$arch" -o APT::Install-Recommends=false)
	"${apt[@]}" update
	"${apt[@]}" --yes --download-only install libc6 libvulkan1 mesa-vulkan-drivers >/dev/null
	# What is merged in new Debians is merged before the unpacking.
	mkdir -p "$root/usr/lib" "$root/usr/lib64"
	ln -s usr/lib "$root/lib"
	ln -s usr/lib64 "$root/lib64"
	local package
	for package in "$home"/archives/*.deb; do
		dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --keep-directory-symlink --exclude ./usr/share/doc --exclude ./usr/share/locale
	done
	rm -rf "$home/archives" "$home/lists" "$home"/*.bin
	local driver
	driver=$(find "$root/usr/lib" -name 'libvulkan_lvp.so' | head -n 1)
	[[ -n $driver ]] || die "$suite: mesa-vulkan-drivers has no lavapipe"
	printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "%s", "api_version": "1.3.0"}}\n' "$driver" >"$home/lavapipe.json"
	dirname "$driver" >"$home/libraries"
	touch "$home/ready"
}

case $what in
get) get ;;
run)
	[[ -e $home/ready ]] || die "$suite is not there: tools/mesa.sh get $suite"
	[[ $# -gt 0 ]] || die "run $suite what?"
	program=$(command -v "$1") || die "$1: not found"
	shift
	libraries=$(<"$home/libraries")
	loader=$(find -L "$libraries" "$root/usr/lib64" -maxdepth 1 -name 'ld-linux*.so.*' | head -n 1)
	export VK_DRIVER_FILES=$home/lavapipe.json VK_ICD_FILENAMES=$home/lavapipe.json
	exec "$loader" --library-path "$libraries" "$program" "$@"
	;;
*) die "get or run, not $what" ;;
esac
