#!/usr/bin/env bash
# Makes a Debian or Ubuntu machine ready for "make demo", or with the argument "test" for
# "make test": builds bin/mmrun and installs what is missing, and only that. A second run installs
# nothing. Needs root or sudo only when something is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/local/go/bin:/usr/sbin:/sbin

die() { echo "setup: $*" >&2; exit 1; }

# need installs packages. The package lists are fetched only when those at hand do not do.
need() {
	local sudo=()
	command -v apt-get >/dev/null || die "this is no Debian or Ubuntu; please install what they call: $*"
	if [[ $(id -u) -ne 0 ]]; then
		command -v sudo >/dev/null || die "run as root, or first: apt-get install $*"
		sudo=(sudo)
	fi
	echo "setup: installing $*" >&2
	local apt=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
	local install=("${apt[@]}" install --yes --no-install-recommends "$@")
	local said
	if ! said=$("${install[@]}" 2>&1 </dev/null); then
		said=$({ "${apt[@]}" update && "${install[@]}"; } 2>&1 </dev/null) || die "could not install $*:"$'\n'"$said"
	fi
}

# Go comes first: it is the one thing that cannot be installed from here, the distributions' is too old.
want=$(awk '$1 == "go" { print $2 }' go.mod)
command -v go >/dev/null || die "Go $want or later is needed and not found; see the Go project's download page"
have=$(go env GOVERSION 2>/dev/null) || have=$(cd / && go env GOVERSION)
[[ $(printf '%s\n' "$want" "${have#go}" | sort -V | head -n1) == "$want" ]] ||
	die "Go $want or later is needed, this is $have; see the Go project's download page"

# The other tools of the build.
missing=()
command -v make >/dev/null || missing+=(make)
command -v "${CC:-gcc}" >/dev/null || missing+=(gcc libc6-dev)
[[ -e /etc/ssl/certs/ca-certificates.crt || -d /etc/pki ]] || missing+=(ca-certificates)
((${#missing[@]} == 0)) || need "${missing[@]}"

make --no-print-directory build

# A loader, a device and, for the tests, the validation layer and AMD's compiler. mmrun itself is asked, so that a driver
# of any origin will do; the caller's choice of device is nothing that could be installed.
unset MMRUN_DEVICE MMRUN_VALIDATE
device() { bin/mmrun devices >/dev/null 2>&1; }
validation() { MMRUN_VALIDATE=1 bin/mmrun devices >/dev/null 2>&1; }
why() { "$@" 2>&1 >/dev/null | tail -n 1; }

if ! device; then
	ldconfig -p | grep 'libvulkan\.so\.1 ' >/dev/null || need libvulkan1
	device || need mesa-vulkan-drivers
	device || die "no Vulkan device after installing lavapipe: $(why bin/mmrun devices)"
fi
if [[ ${1:-} == test ]] && ! validation; then
	need vulkan-validationlayers
	validation || die "the validation layer does not work: $(MMRUN_VALIDATE=1 why bin/mmrun devices)"
fi
# Mesa's driver for AMD compiles for chips that are not there.
if [[ ${1:-} == test ]] && ! compgen -G '/usr/share/vulkan/icd.d/radeon_icd*.json' >/dev/null; then
	need mesa-vulkan-drivers
fi
# Servers that share their sessions are tested with a real store behind a real proxy.
if [[ ${1:-} == test ]]; then
	missing=()
	command -v redis-server >/dev/null || missing+=(redis-server)
	command -v haproxy >/dev/null || missing+=(haproxy)
	((${#missing[@]} == 0)) || need "${missing[@]}"
fi
# The tests of the page at the server's root use it as a browser does.
if [[ ${1:-} == test ]] && ! command -v chromium >/dev/null; then
	need chromium
fi
