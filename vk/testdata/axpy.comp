#version 450
// y[i] = a * x[i] + y[i]; the workgroup size and a power of two for x are specialization constants.
layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint SCALE = 1;
layout(push_constant) uniform Push { uint n; float a; };
layout(set = 0, binding = 0) readonly buffer X { float x[]; };
layout(set = 0, binding = 1) buffer Y { float y[]; };

void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i < n)
        y[i] += a * float(SCALE) * x[i];
}
