// float32, as it is.
#define WVEC 1
#define BLOCK 8
#define SUB 8
#define PANEL 64
#define UNIT vec4
#define WEIGHT(b, name) IN4(b, name)
#define unitAt(name, row, b, i) at4(name, (row) + (b) * PANEL + (i) * 8)

void widen(vec4 v, out vec4 w[WVEC]) { w[0] = v; }
