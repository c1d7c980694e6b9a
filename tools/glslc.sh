#!/usr/bin/env bash
# Rebuilds shaders/spv from shaders/*.comp: what changed, or only the stems named, or all with --force.
# Needs Debian's glslc and spirv-tools. How a shader declares its variants: internal/glsl.
set -euo pipefail
cd "$(dirname "$0")/.."
exec go run ./tools/glslc "$@"
