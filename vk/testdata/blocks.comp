#version 450
// What reflection has to get right: nested push constants, bindings with gaps and aliases, partly
// readonly blocks and shared memory whose size is a product of specialization constants.
layout(local_size_x_id = 0, local_size_y = 2) in;
layout(local_size_x = 4) in;
layout(constant_id = 1) const uint N = 16;
struct Inner { vec3 a; float b; mat3 c; };
layout(push_constant) uniform Push { uint n; Inner inner; vec2 pair; uint tail[3]; };
layout(set = 0, binding = 3) buffer Mixed { readonly uint count; float v[]; };
layout(set = 0, binding = 7) readonly buffer In { uint a; float i[]; };
layout(set = 0, binding = 1) readonly buffer AsFloat { float f[]; };
layout(set = 0, binding = 1) writeonly buffer AsVec { vec4 w[]; };
shared vec4 tile[N * 3];
shared float rest[3];

void main() {
    uint i = gl_GlobalInvocationID.x;
    tile[i % (N * 3)] = vec4(f[i]);
    rest[i % 3] = i * inner.c[1][1] + pair.x + tail[2];
    barrier();
    w[i] = tile[0] + float(a) + float(count);
    v[i] = rest[0] + i * inner.b * float(n);
}
