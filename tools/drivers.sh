#!/usr/bin/env bash
# Runs the device's tests on every driver that is found: lavapipe with its three subgroup sizes, SwiftShader, the Mesas of other
# Debians that tools/mesa.sh has fetched, and lavapipe under a layer that gives it the least of every limit.
#
#   tools/drivers.sh          all; fetches Debian 13's Mesa, and the newest for its cooperative matrices
#   tools/drivers.sh quick    what CI runs: what differs on SwiftShader, within a few minutes
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH=$PATH:/usr/local/go/bin
unset MMRUN_DEVICE MMRUN_DISABLE VK_DRIVER_FILES VK_ICD_FILENAMES

failed=()
swiftshader=/usr/lib/chromium/vk_swiftshader_icd.json
lavapipe=$(compgen -G '/usr/share/vulkan/icd.d/lvp_icd*.json' | head -n 1)

# on runs a command under a name and notes whether it failed.
on() {
	local name=$1
	shift
	echo "== $name"
	"$@" || failed+=("$name")
}

# tests runs go test with the environment before "--"; what computes is tested on every driver.
tests() { go test -count=1 -timeout 40m "$@"; }
kernels() { tests "$@" ./vk ./graph ./ops ./ops/check ./models; }
goldens() { tests "$@" -run 'Golden|Random|Blocks|Transformer' ./engine; }
full() { kernels "$@" && goldens "$@"; }

if [[ ${1:-} == quick ]]; then
	[[ -e $swiftshader ]] || { echo "drivers: no SwiftShader (Debian's chromium has it)" >&2; exit 1; }
	export VK_DRIVER_FILES=$swiftshader VK_ICD_FILENAMES=$swiftshader
	on "SwiftShader, quick" eval "tests ./vk ./ops/check && tests -run 'TestGolden/.*/chunk=64' ./engine"
else
	if [[ -n $lavapipe ]]; then
		export VK_DRIVER_FILES=$lavapipe VK_ICD_FILENAMES=$lavapipe
		for width in 128 256 512; do
			on "lavapipe, $width bits" env LP_NATIVE_VECTOR_WIDTH=$width bash -c "$(declare -f tests kernels goldens full); full"
		done
		layer=$(mktemp -d)
		trap 'rm -rf "$layer"' EXIT
		on "lavapipe with the least of every limit" bash -c "$(declare -f tests goldens); settings=\$(go run ./tools/least '$layer') && export \$settings && goldens"
	fi
	if [[ -e $swiftshader ]]; then
		on SwiftShader env VK_DRIVER_FILES="$swiftshader" VK_ICD_FILENAMES="$swiftshader" bash -c "$(declare -f tests kernels goldens full); full"
	fi
	unset VK_DRIVER_FILES VK_ICD_FILENAMES
	for suite in trixie sid; do
		if tools/mesa.sh get "$suite"; then
			on "Mesa of Debian $suite" full -exec "$PWD/tools/mesa.sh run $suite"
		else
			failed+=("Mesa of Debian $suite: not fetched")
		fi
	done
fi

((${#failed[@]} == 0)) && { echo "every driver: ok"; exit 0; }
printf 'failed: %s\n' "${failed[@]}" >&2
exit 1
