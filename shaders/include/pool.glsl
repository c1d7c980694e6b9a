// Notes on the device. A note of importance 0 is none: sigmoid's smallest value is kept above it.
//
// The log of a pass has, of every layer, the notes of its pool, oldest first, then those that are
// pending, each at its token's place in the window, then a row for each of the pass's tokens. Sequences of
// one token each may have a log together: every one's lies at its row of the state.
#ifndef POOL_GLSL
#define POOL_GLSL

const float LEAST = 1.2e-38;
const uint NONE = 0xffffffffu; // no row of the log

// windowOf is the window of a pass that token t of sequence b is in; the first token's is 0.
uint windowOf(uint b, uint t, uint window) { return (params.position[b] % window + t) / window; }

// lastWindow is the last of a pass.
uint lastWindow(uint b, uint window) { return windowOf(b, params.tokens - 1, window); }

#endif
