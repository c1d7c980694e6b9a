#!/usr/bin/env bash
# Makes the pictures at the top of README.md: the page of notes that mmrun demo writes, and the map of keys found, which
# mmrun plot draws of docs/results/passkey.json. Needs bin/mmrun and Chromium.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v chromium >/dev/null || { echo "pictures: chromium is needed and not found" >&2; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The page, with the text around the fact alone, so that it stands below the map.
bin/mmrun demo --quiet --html "$scratch/notes.html" >/dev/null
cat >>"$scratch/notes.html" <<'END'
<style>.bar { position: static } aside { position: static; max-height: 27.5rem; overflow: hidden } section { margin-top: 1.4rem } body { padding-top: 1.4rem } .section-head p { max-width: 60rem }</style>
<script>
const windows = [...document.querySelectorAll("#text .w")];
const first = windows.findIndex((w) => w.querySelector(".fact"));
windows.forEach((w, i) => { if (i < first - 5 || i > first + 9) w.remove(); });
document.getElementById("to-fact").remove();
document.getElementById("order").value = "position";
document.getElementById("order").dispatchEvent(new Event("change"));
</script>
END
chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --force-device-scale-factor=1 --virtual-time-budget=3000 \
	--user-data-dir="$scratch/profile" --window-size=1200,1080 --screenshot="$scratch/notes.png" "file://$scratch/notes.html" 2>"$scratch/log" ||
	{ cat "$scratch/log" >&2; exit 1; }
cp "$scratch/notes.png" docs/notes.png

bin/mmrun plot docs/results/passkey.json --out docs/results/passkey.png
