#!/usr/bin/env bash
# Makes dist/ twice, the second time in another folder with an empty build cache, and compares every byte.
set -euo pipefail
cd "$(dirname "$0")/.."
tools/dist.sh >/dev/null
scratch=$(mktemp -d)
trap 'git worktree remove --force "$scratch/a-longer-name/clone" 2>/dev/null || true; rm -rf "$scratch"' EXIT
git worktree add --quiet --detach "$scratch/a-longer-name/clone" HEAD
GOCACHE=$scratch/cache OUT=$scratch/dist "$scratch/a-longer-name/clone/tools/dist.sh" >/dev/null
if ! diff dist/SHA256SUMS "$scratch/dist/SHA256SUMS"; then
	echo "test-dist: the two differ" >&2
	exit 1
fi
(cd dist && sha256sum --check --quiet SHA256SUMS)
cat dist/SHA256SUMS
