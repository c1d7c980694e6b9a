#!/bin/sh
# Compiles the test shaders. Needs glslc and spirv-val.
set -e
cd "$(dirname "$0")"
compile() { # target, source, output
	glslc --target-env="$1" -O -Werror -o "$3" "$2"
	spirv-val --target-env "$1" "$3"
}
for f in *.comp; do
	compile vulkan1.1 "$f" "${f%.comp}.spv"
done
# The same shader as older and newer compilers write it: BufferBlock, and LocalSizeId.
compile vulkan1.0 axpy.comp axpy10.spv
compile vulkan1.3 axpy.comp axpy13.spv
