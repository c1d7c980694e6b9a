#version 450
// Asks for more shared memory (N floats) than devices have, by specialization.
layout(local_size_x = 64) in;
layout(constant_id = 0) const uint N = 64;
layout(set = 0, binding = 0) buffer Y { float y[]; };
shared float tile[N];
void main() {
    uint i = gl_LocalInvocationIndex;
    tile[i] = y[i];
    barrier();
    y[i] = tile[63 - i];
}
