// A pool of notes, a device's view. A note of importance 0 is none: sigmoid's smallest value is
// kept above it.
#ifndef POOL_GLSL
#define POOL_GLSL

const uint MAX_POOL = 256, MAX_WINDOW = 1024;
const float LEAST = 1.2e-38;

#endif
