#!/usr/bin/env bash
# Runs all experiments for a model and the same without memory, and leaves figures and pictures in a
# folder: docs/measure.sh MODEL TWIN TEXT OUT. The lengths suit a device that reads some 2,000 tokens a second,
# where it all takes less than an hour. MMRUN names another mmrun than bin/mmrun.
set -euo pipefail
if [ $# -ne 4 ]; then
	echo "usage: $0 MODEL TWIN TEXT OUT" >&2
	exit 2
fi
model=$1 twin=$2 text=$3 out=$4
mmrun=${MMRUN:-$(dirname "$0")/../bin/mmrun}
mkdir -p "$out"

# say prints a command as it can be repeated, and runs it.
say() {
	local file=$1
	shift
	echo "mmrun $*" >&2
	"$mmrun" "$@" >"$out/$file.tmp"
	mv "$out/$file.tmp" "$out/$file"
}

say passkey.json passkey --model "$model" --against "$twin" --lengths 512,1024,2048,4096,8192,16384 --trials 4 --plot "$out/passkey.png" --json
say fidelity.json fidelity --model "$model" --against "$twin" --file "$text" --plot "$out/fidelity.png" --json
say docs.json docs --model "$model" --against "$twin" --documents 1,2,5,10 --trials 20 --plot "$out/docs.png" --json
say perplexity.json perplexity --model "$model" --against "$twin" --file "$text" --context 256,all --plot "$out/perplexity.png" --json
say passkey-long.json passkey --model "$model" --against "$twin" --lengths 65536,400000 --depths 1 --trials 1 --json
say latency.json latency --model "$model" --contexts 1000,2000,4000,8000,16000,32000,64000 --plot "$out/latency.png" --json
