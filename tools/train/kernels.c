// The inner loops of Mamba training on a CPU: RMSNorm, causal convolution with SiLU, and the
// selective scan with its gate, each forward and backward. kernels.py builds and calls them.
//
// Eight channels fill one vector and every reduction over channels is kept as eight partial sums
// until the end, so nothing here depends on the compiler being allowed to reorder additions.
// Arrays are float32; "stride" is the distance between two tokens' rows, in floats. Channel
// counts are multiples of LANES (kernels.py checks). Functions that need memory return 0, or -1
// when there is none.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LANES 8
#define CHUNK 32 // tokens between two saved states; the backward pass replays one chunk at a time
#define LOG2E 1.44269504f
#define LN2 0.693147181f

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int veci __attribute__((vector_size(4 * LANES)));

static inline vec load(const float *p) {
	vec v;
	memcpy(&v, p, sizeof v);
	return v;
}

static inline void store(float *p, vec v) { memcpy(p, &v, sizeof v); }

static inline vec splat(float x) { return (vec){} + x; }

static inline vec pick(veci mask, vec yes, vec no) {
	return (vec)((mask & (veci)yes) | (~mask & (veci)no));
}

static inline float sum(vec v) {
	float s = 0;
	for (int i = 0; i < LANES; i++) s += v[i];
	return s;
}

// vexp2 is 2^x to about 2e-7 of itself, for x up to 127; below -125 it is 2^-125. A polynomial
// gives 2^r for the r in [-1/2, 1/2] left over by rounding (minimax with 2^0 = 1 exact), and the
// rounded part is added to the exponent's bits.
static inline vec vexp2(vec x) {
	const vec magic = splat(12582912.0f); // 1.5 * 2^23: adding it rounds to an integer
	x = pick(x > -125.0f, x, splat(-125.0f));
	vec t = x + magic, r = x - (t - magic);
	vec p = splat(0.0013264727f);
	p = p * r + 0.009671513f;
	p = p * r + 0.055507336f;
	p = p * r + 0.24022242f;
	p = p * r + 0.693147f;
	p = p * r + 1.0f;
	return (vec)((veci)p + ((veci)t << 23));
}

static inline vec vexp(vec x) { return vexp2(x * LOG2E); }

static inline vec sigmoid(vec x) { return 1.0f / (1.0f + vexp(-pick(x > -88.0f, x, splat(-88.0f)))); }

// softplus is max(x, 0) + log1p(e^-|x|); log1p(w) = 2 atanh(w / (2 + w)), whose series
// converges fast because the argument never exceeds 1/3.
static inline vec softplus(vec x) {
	vec positive = pick(x > 0.0f, x, splat(0));
	vec w = vexp(pick(x > 0.0f, -x, x));
	vec s = w / (2.0f + w), q = s * s;
	vec p = splat(1.0f / 15);
	p = p * q + 1.0f / 13;
	p = p * q + 1.0f / 11;
	p = p * q + 1.0f / 9;
	p = p * q + 1.0f / 7;
	p = p * q + 1.0f / 5;
	p = p * q + 1.0f / 3;
	return positive + 2.0f * s * (p * q + 1.0f);
}

static void *scratch(size_t vectors) {
	void *p = aligned_alloc(sizeof(vec), vectors * sizeof(vec));
	if (p) memset(p, 0, vectors * sizeof(vec));
	return p;
}

// rms_forward: y = x * inv * w with inv = 1 / sqrt(mean(x^2) + eps); x, y (rows, d), inv (rows).
void rms_forward(int rows, int d, float eps, const float *x, const float *w, float *y, float *inv) {
	for (int r = 0; r < rows; r++, x += d, y += d) {
		vec square = splat(0);
		for (int i = 0; i < d; i += LANES) square += load(x + i) * load(x + i);
		inv[r] = 1.0f / sqrtf(sum(square) / d + eps);
		for (int i = 0; i < d; i += LANES) store(y + i, load(x + i) * inv[r] * load(w + i));
	}
}

// rms_backward fills dx (rows, d) and adds to dw (d).
void rms_backward(int rows, int d, const float *x, const float *w, const float *inv,
                  const float *dy, float *dx, float *dw) {
	for (int r = 0; r < rows; r++, x += d, dy += d, dx += d) {
		vec dot = splat(0);
		for (int i = 0; i < d; i += LANES) dot += load(dy + i) * load(w + i) * load(x + i);
		float k = sum(dot) * inv[r] * inv[r] / d;
		for (int i = 0; i < d; i += LANES) {
			vec g = load(dy + i), v = load(x + i);
			store(dx + i, inv[r] * (g * load(w + i) - v * k));
			store(dw + i, load(dw + i) + g * v * inv[r]);
		}
	}
}

// tap returns the input row that tap k sees at token t: a row of x, or of the (taps-1) rows that
// came before it, oldest first.
static inline const float *tap(const float *x, const float *before, int stride, int E, int taps, int t, int k) {
	int at = t - (taps - 1) + k;
	return at < 0 ? before + (size_t)(at + taps - 1) * E : x + (size_t)at * stride;
}

// conv_forward: y = silu(bias + sum_k w[k] * x[t-taps+1+k]).
// x (B, T, E) strided, before (B, taps-1, E), w (taps, E), bias (E), y (B, T, E).
void conv_forward(int B, int T, int E, int taps, const float *x, int stride, const float *before,
                  const float *w, const float *bias, float *y) {
	for (int b = 0; b < B; b++, x += (size_t)T * stride, before += (taps - 1) * E)
		for (int t = 0; t < T; t++, y += E)
			for (int e = 0; e < E; e += LANES) {
				vec s = load(bias + e);
				for (int k = 0; k < taps; k++)
					s += load(w + k * E + e) * load(tap(x, before, stride, E, taps, t, k) + e);
				store(y + e, s * sigmoid(s));
			}
}

// conv_backward adds to dx (B, T, E), dw (taps, E) and dbias (E). Nothing flows into before.
void conv_backward(int B, int T, int E, int taps, const float *x, int stride, const float *before,
                   const float *w, const float *bias, const float *dy, float *dx, float *dw, float *dbias) {
	for (int b = 0; b < B; b++, x += (size_t)T * stride, before += (taps - 1) * E, dx += (size_t)T * E)
		for (int t = 0; t < T; t++, dy += E)
			for (int e = 0; e < E; e += LANES) {
				vec s = load(bias + e);
				for (int k = 0; k < taps; k++)
					s += load(w + k * E + e) * load(tap(x, before, stride, E, taps, t, k) + e);
				vec gate = sigmoid(s);
				vec g = load(dy + e) * gate * (1.0f + s * (1.0f - gate));
				store(dbias + e, load(dbias + e) + g);
				for (int k = 0; k < taps; k++) {
					float *to = dw + k * E + e;
					store(to, load(to) + g * load(tap(x, before, stride, E, taps, t, k) + e));
					int at = t - (taps - 1) + k;
					if (at < 0) continue;
					to = dx + (size_t)at * E + e;
					store(to, load(to) + g * load(w + k * E + e));
				}
			}
}

// The arguments of the scan. With delta = softplus(dt), per channel e and state n:
//   h = exp(delta A) h + delta u B;   y = (sum_n h C + D u) * silu(z)
typedef struct {
	int B, T, E, N;
	int z_stride, bc_stride;
	const float *dt, *u; // (B, T, E)
	const float *z;      // (B, T, E) strided
	const float *b, *c;  // (B, T, N) strided
	const float *A, *D;  // (E, N), (E)
	const float *h0;     // (B, E, N)
	const float *keep;   // (B, chunks): what the state is multiplied by when a chunk begins, or null for 1
	float *y;            // (B, T, E)
	float *h;            // (B, E, N): the state after the last token
	float *saved;        // (B, chunks, E/LANES, N, LANES): the state before each chunk, before keep
} scan_args;

// to_lanes lays (E, N), times scale, out as (E/LANES, N, LANES); from_lanes goes back, unscaled.
static void to_lanes(int E, int N, const float *from, float scale, vec *to) {
	for (int e = 0; e < E; e++)
		for (int n = 0; n < N; n++) to[e / LANES * N + n][e % LANES] = from[e * N + n] * scale;
}

static void from_lanes(int E, int N, const vec *from, float *to) {
	for (int e = 0; e < E; e++)
		for (int n = 0; n < N; n++) to[e * N + n] = from[e / LANES * N + n][e % LANES];
}

static void scan_channels(const scan_args *s, int batch, int first, int last, int e, const vec *A, vec *h) {
	vec D = load(s->D + e);
	for (int t = first; t < last; t++) {
		size_t row = (size_t)batch * s->T + t, at = row * s->E + e;
		const float *b = s->b + row * s->bc_stride, *c = s->c + row * s->bc_stride;
		vec u = load(s->u + at), delta = softplus(load(s->dt + at));
		vec input = delta * u, y = D * u;
		for (int n = 0; n < s->N; n++) {
			h[n] = vexp2(delta * A[n]) * h[n] + input * b[n];
			y += h[n] * c[n];
		}
		vec z = load(s->z + row * s->z_stride + e);
		store(s->y + at, y * z * sigmoid(z));
	}
}

int scan_forward(const scan_args *s) {
	int E = s->E, N = s->N, chunks = (s->T + CHUNK - 1) / CHUNK;
	vec *A = scratch(2 * (size_t)E / LANES * N);
	if (!A) return -1;
	vec *h = A + E / LANES * N;
	float *saved = s->saved;
	to_lanes(E, N, s->A, LOG2E, A);
	for (int batch = 0; batch < s->B; batch++) {
		to_lanes(E, N, s->h0 + (size_t)batch * E * N, 1, h);
		for (int first = 0; first < s->T; first += CHUNK, saved += E * N) {
			int last = first + CHUNK < s->T ? first + CHUNK : s->T;
			memcpy(saved, h, sizeof(float) * E * N);
			if (s->keep)
				for (int i = 0; i < E / LANES * N; i++) h[i] *= s->keep[batch * chunks + first / CHUNK];
			for (int e = 0; e < E; e += LANES)
				scan_channels(s, batch, first, last, e, A + e / LANES * N, h + e / LANES * N);
		}
		from_lanes(E, N, h, s->h + (size_t)batch * E * N);
	}
	free(A);
	return 0;
}

typedef struct {
	const float *dy;         // (B, T, E)
	float *ddt, *du, *dz;    // (B, T, E), filled
	float *db, *dc;          // (B, T, N), filled
	float *dA, *dD;          // (E, N), filled; (E), added to
} scan_grads;

typedef struct {
	vec *A, *dA, *g;      // (E/LANES, N): A * LOG2E, the gradient of A, the gradient of the state
	vec *decay, *h;       // (CHUNK, N), (CHUNK+1, N): one chunk of eight channels, replayed
	vec *db, *dc;         // (CHUNK, N): eight partial sums of each number
	vec delta[CHUNK], y[CHUNK];
} scan_work;

static void scan_replay(const scan_args *s, int batch, int first, int last, int e, const vec *A, scan_work *w) {
	int N = s->N;
	vec D = load(s->D + e);
	for (int t = first; t < last; t++) {
		size_t row = (size_t)batch * s->T + t, at = row * s->E + e;
		const float *b = s->b + row * s->bc_stride, *c = s->c + row * s->bc_stride;
		vec u = load(s->u + at), delta = softplus(load(s->dt + at));
		vec input = delta * u, y = D * u;
		vec *h = w->h + (t - first) * N, *decay = w->decay + (t - first) * N;
		for (int n = 0; n < N; n++) {
			decay[n] = vexp2(delta * A[n]);
			h[N + n] = decay[n] * h[n] + input * b[n];
			y += h[N + n] * c[n];
		}
		w->delta[t - first] = delta;
		w->y[t - first] = y;
	}
}

static void scan_reverse(const scan_args *s, const scan_grads *d, int batch, int first, int last, int e, scan_work *w) {
	int N = s->N;
	vec D = load(s->D + e), dD = load(d->dD + e);
	vec *A = w->A + e / LANES * N, *dA = w->dA + e / LANES * N, *g = w->g + e / LANES * N;
	for (int t = last - 1; t >= first; t--) {
		size_t row = (size_t)batch * s->T + t, at = row * s->E + e;
		const float *b = s->b + row * s->bc_stride, *c = s->c + row * s->bc_stride;
		vec *h = w->h + (t - first) * N, *decay = w->decay + (t - first) * N;
		vec *db = w->db + (t - first) * N, *dc = w->dc + (t - first) * N;
		vec u = load(s->u + at), delta = w->delta[t - first], input = delta * u;
		vec z = load(s->z + row * s->z_stride + e), gate = sigmoid(z), dy = load(d->dy + at);
		store(d->dz + at, dy * w->y[t - first] * gate * (1.0f + z * (1.0f - gate)));
		dy *= z * gate;
		vec dinput = splat(0), ddelta = splat(0);
		for (int n = 0; n < N; n++) {
			vec gh = g[n] + dy * c[n];
			dc[n] += dy * h[N + n];
			db[n] += gh * input;
			dinput += gh * b[n];
			gh *= decay[n];
			g[n] = gh;
			gh *= h[n];
			ddelta += gh * A[n];
			dA[n] += gh * delta;
		}
		dD += dy * u;
		store(d->du + at, dy * D + dinput * delta);
		store(d->ddt + at, (ddelta * LN2 + dinput * u) * sigmoid(load(s->dt + at)));
	}
	store(d->dD + e, dD);
}

int scan_backward(const scan_args *s, const scan_grads *d) {
	int E = s->E, N = s->N, chunks = (s->T + CHUNK - 1) / CHUNK;
	size_t channels = (size_t)E / LANES * N, tokens = (size_t)CHUNK * N;
	scan_work w = {0};
	vec *all = scratch(3 * channels + 4 * tokens + N);
	if (!all) return -1;
	w.A = all, w.dA = w.A + channels, w.g = w.dA + channels;
	w.decay = w.g + channels, w.db = w.decay + tokens, w.dc = w.db + tokens, w.h = w.dc + tokens;
	to_lanes(E, N, s->A, LOG2E, w.A);
	for (int batch = 0; batch < s->B; batch++) {
		memset(w.g, 0, channels * sizeof(vec));
		for (int chunk = chunks - 1; chunk >= 0; chunk--) {
			int first = chunk * CHUNK, last = first + CHUNK < s->T ? first + CHUNK : s->T;
			float keep = s->keep ? s->keep[batch * chunks + chunk] : 1;
			memset(w.db, 0, 2 * tokens * sizeof(vec));
			for (int e = 0; e < E; e += LANES) {
				memcpy(w.h, s->saved + ((size_t)(batch * chunks + chunk) * E + e) * N, N * sizeof(vec));
				for (int n = 0; n < N; n++) w.h[n] *= keep;
				scan_replay(s, batch, first, last, e, w.A + e / LANES * N, &w);
				scan_reverse(s, d, batch, first, last, e, &w);
				for (int n = 0; n < N; n++) w.g[e / LANES * N + n] *= keep;
			}
			size_t at = ((size_t)batch * s->T + first) * N;
			for (int i = 0; i < (last - first) * N; i++)
				d->db[at + i] = sum(w.db[i]), d->dc[at + i] = sum(w.dc[i]);
		}
	}
	from_lanes(E, N, w.dA, d->dA);
	free(all);
	return 0;
}

// commit follows a layer's pool from window to window. Sequence b has notes[b] notes in its pool at
// first, numbered from 0 in the order they came, and then tokens: token t is note `past + t`, and
// waits to be taken if noted. importance (B, past + T), noted (B, T). At every window's start, and
// after the last window, table (B, windows + 1, P) gets the numbers of the pool's notes, oldest
// first, and counts (B, windows + 1) how many they are; when priority is 0 the pool is a queue.
void commit(int B, int T, int past, int W, int P, int priority, const double *importance,
            const unsigned char *noted, const int *notes, long *table, long *counts) {
	int windows = (T + W - 1) / W;
	for (int b = 0; b < B; b++, importance += past + T, noted += T) {
		long *pool = table + (size_t)b * (windows + 1) * P;
		int count = notes[b];
		for (int i = 0; i < count; i++) pool[i] = i;
		*counts++ = count;
		for (int w = 0; w < windows; w++) {
			memcpy(pool + P, pool, sizeof(long) * P);
			pool += P;
			for (int t = w * W; t < T && t < (w + 1) * W; t++) {
				if (!noted[t]) continue;
				int out = 0;
				if (count < P) {
					pool[count++] = past + t;
					continue;
				}
				if (priority) {
					for (int i = 1; i < P; i++)
						if (importance[pool[i]] < importance[pool[out]]) out = i;
					if (importance[past + t] <= importance[pool[out]]) continue;
				}
				memmove(pool + out, pool + out + 1, sizeof(long) * (P - 1 - out));
				pool[P - 1] = past + t;
			}
			*counts++ = count;
		}
	}
}
