#version 450
// out[i] = f[i] * float(u[i]), out of texel buffers of four floats and of four uints.
layout(local_size_x = 32) in;
layout(set = 0, binding = 0, rgba32f) readonly uniform imageBuffer f;
layout(set = 0, binding = 1, rgba32ui) readonly uniform uimageBuffer u;
layout(set = 0, binding = 2) writeonly buffer Out { vec4 o[]; };

void main() {
    int i = int(gl_GlobalInvocationID.x);
    if (i < imageSize(f))
        o[i] = imageLoad(f, i) * vec4(imageLoad(u, i));
}
