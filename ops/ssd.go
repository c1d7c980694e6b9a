package ops

import (
	"math"

	"github.com/mmrun/mmrun/graph"
)

// An SSD is the state space of one Mamba-2 layer (arXiv 2405.21060, section 7): H heads of p channels
// each, of which groups share B and C. E is H·p padded as a whole, head after head; N is padded,
// of every group; H is padded where a head has one number.
//
// Rows of in_proj are [z | u | B | C | dt]: E, then E + 2·G·N that the convolution takes, then H.
type SSD struct {
	DtBias Weight // (H)
	A      Weight // (H), -exp(A_log)
	D      Weight // (H)
	Low    float64
	High   float64 // of Δ, math.Inf(1) for no limit

	Heads, HeadDim, Groups int // H, p and G without padding
}

// SSDTokens is how many tokens SSDScan takes at a time as a product of matrices.
const SSDTokens = 64

const chunk = SSDTokens

// side is that of a GPU's tiles.
const side = 64

// Channels is E, padded.
func (s SSD) Channels() int { return Padded(s.Heads * s.HeadDim) }

func (s SSD) check(g *graph.Graph, op string, z, xBC, dt, h graph.Value) bool {
	E, H, N := s.Channels(), Padded(s.Heads), h.Cols
	ok := s.Heads > 0 && s.HeadDim > 0 && s.Groups > 0 && s.Heads%s.Groups == 0 &&
		z.Cols == E && xBC.Cols == E+2*s.Groups*N && dt.Cols == H && z.Rows == xBC.Rows && dt.Rows == z.Rows &&
		h.Rows%E == 0 && h.Packed() && N%Pad == 0 && N <= MaxState
	if !ok {
		mismatch(g, op, xBC.Shape(), []int{s.Heads, s.HeadDim, s.Groups, N})
	}
	return ok
}

type (
	ssdPush struct {
		heads, dim, group, states, channels, tokens int
		stride, offset                              int // of xBC
		zstride, zoffset, dstride, doffset          int
		low, high                                   float64
	}
	ssdStepSpec struct {
		n4    int
		lanes uint32
	}
	ssdTileSpec struct{ aligned bool } // of a GPU
	ssdCoopSpec struct {               // of one with cooperative matrices
		ssdTileSpec
		coopSpec
	}
	ssdLanesSpec struct { // of a software device
		ssdTileSpec
		own   int
		lanes uint32
	}
)

// push is what all kernels are told; tokens is how many there are in whole chunks.
func (s SSD) push(z, xBC, dt graph.Value, N, tokens int) ssdPush {
	return ssdPush{
		heads: s.Heads, dim: s.HeadDim, group: s.Heads / s.Groups, states: N / 4, channels: s.Channels() / 4, tokens: tokens,
		stride: xBC.Stride / 4, offset: xBC.From / 4, zstride: z.Stride / 4, zoffset: z.From / 4, dstride: dt.Stride / 4, doffset: dt.From / 4,
		low: s.Low, high: min(s.High, math.MaxFloat32), // what infinity is to a comparison
	}
}

// SSDStep takes one token of every sequence through the state space and the gate; see SSDScan.
// Shapes: z and the result (B, E), xBC (B, E+2GN) rows of [u | B | C], dt (B, H), h (rows·E, N).
func SSDStep(g *graph.Graph, z, xBC, dt graph.Value, s SSD, h graph.Value) graph.Value {
	E, N, H := s.Channels(), h.Cols, Padded(s.Heads)
	y := g.Temp(z.Rows, E)
	if !s.check(g, "ssd", z, xBC, dt, h) {
		return y
	}
	args := []graph.Value{params(g), xBC, dt, s.DtBias.vector(g, "ssd", H, z), s.A.vector(g, "ssd", H, z), s.D.vector(g, "ssd", H, z), z, y, h}
	if g.Software() {
		args = append(args, h)
	}
	spec := ssdStepSpec{N / 4, fetchLanes(g)}
	if s.Groups > 1 && s.Heads/s.Groups*s.HeadDim%8 != 0 { // eight neighbours may be of two groups
		spec.lanes = 1
	}
	g.Call("ssd", graph.Kernel{Shader: "ssd_step", Spec: spec}, args, s.push(z, xBC, dt, N, 0), [3]int{E / 8, z.Rows, 1},
		graph.Cost{Bytes: int64(z.Rows) * 8 * int64(E) * int64(N), Flops: 5 * int64(z.Rows) * int64(E) * int64(N)})
	return y
}

// SSDSteps returns the time steps Δ (T, H) that the state space takes for dt (T, H): clip(softplus(dt + bias), low, high).
func SSDSteps(g *graph.Graph, dt graph.Value, s SSD) graph.Value {
	H := Padded(s.Heads)
	delta := g.Temp(dt.Rows, H)
	if dt.Cols != H {
		mismatch(g, "ssd_steps", dt.Shape(), []int{s.Heads})
		return delta
	}
	told := s.push(dt, delta, dt, 0, 0)
	g.Call("ssd_steps", graph.Kernel{Shader: "ssd_steps"}, []graph.Value{params(g), dt, s.DtBias.vector(g, "ssd_steps", H, dt), delta},
		told, [3]int{graph.Groups(H/4, 8), dt.Rows, 1}, graph.Cost{Bytes: 2 * delta.Bytes()})
	return delta
}

// SSDScan takes T tokens of one sequence through the state space and the gate,
//
//	h_t = exp(Δ_t A) h_{t-1} + Δ_t u_t B_tᵀ,  y_t = (h_t C_t + D u_t) ⊙ silu(z_t)
//
// as products of matrices within chunks of time and a state from chunk to chunk (state-space duality,
// arXiv 2405.21060, section 6).
// Shapes: z and the result (T, E), xBC (T, E+2GN) rows of [u | B | C], dt (T, H), h (rows·E, N) of which
// the pass's row is read and replaced.
func SSDScan(g *graph.Graph, z, xBC, dt graph.Value, s SSD, h graph.Value) graph.Value {
	y := g.Temp(z.Rows, s.Channels())
	if !s.check(g, "ssd", z, xBC, dt, h) {
		return y
	}
	p := ssdPass{Graph: g, SSD: s, z: z, xBC: xBC, dt: dt, h: h}
	p.chunks = graph.Groups(z.Rows, chunk)
	p.told = s.push(z, xBC, dt, h.Cols, p.chunks*chunk)
	p.decay()
	p.dual()
	p.carry()
	p.join(y)
	return y
}

// ssdPass is the state space of many tokens under construction.
type ssdPass struct {
	*graph.Graph
	SSD
	z, xBC, dt, h graph.Value
	chunks        int
	told          ssdPush

	delta, cum graph.Value // (H, T in whole chunks), (2H, T): the steps and what they add up to
	scores     graph.Value // (G·T in whole chunks, chunk): C_t·B_s
	starts     graph.Value // (chunks·E, N): the state that each chunk starts from
}

func (p *ssdPass) vector(w Weight) graph.Value { return w.vector(p.Graph, "ssd", Padded(p.Heads), p.z) }

// tiles and lanes are the constants of a GPU's kernels and of a software device's, whose lanes own that many vec4.
func (p *ssdPass) tiles() ssdTileSpec { return ssdTileSpec{p.HeadDim%4 == 0} }

func (p *ssdPass) lanes(own int) ssdLanesSpec {
	return ssdLanesSpec{p.tiles(), own, fetchLanes(p.Graph)}
}

// product is a GPU's kernel for products of matrices in square tiles, by cooperative matrices where it has them.
func (p *ssdPass) product(plain, coop graph.Kernel) graph.Kernel {
	if p.Access() == graph.CoopMat {
		coop.Plain = true
		return coop
	}
	return plain
}

// coop are the constants of such a kernel that reads channels of heads.
func (p *ssdPass) coop() ssdCoopSpec { return ssdCoopSpec{p.tiles(), coopOf(p.Graph)} }

// decay finds the time steps and what they add up to.
func (p *ssdPass) decay() {
	p.delta, p.cum = p.Temp(p.Heads, p.chunks*chunk), p.Temp(2*p.Heads, p.chunks*chunk)
	p.Call("ssd_decay", graph.Kernel{Shader: "ssd_decay"},
		[]graph.Value{params(p.Graph), p.dt, p.vector(p.DtBias), p.vector(p.A), p.delta, p.cum},
		p.told, [3]int{graph.Groups(p.Heads, 8), p.chunks, 1}, graph.Cost{Bytes: 3 * p.delta.Bytes()})
}

// dual multiplies what tokens of a chunk ask with what they offer.
func (p *ssdPass) dual() {
	p.scores = p.Temp(p.Groups*p.chunks*chunk, chunk)
	kernel := p.product(graph.Kernel{Shader: "ssd_scores"}, graph.Kernel{Shader: "ssd_scores_coop", Spec: coopOf(p.Graph)})
	groups := p.chunks
	if p.Software() {
		kernel, groups = graph.Kernel{Shader: "ssd_scores_lanes", Spec: lanesSpec{fetchLanes(p.Graph)}}, graph.Groups(p.z.Rows, 8)
	}
	p.Call("ssd_scores", kernel, []graph.Value{params(p.Graph), p.xBC, p.scores},
		p.told, [3]int{groups, p.Groups, 1},
		graph.Cost{Bytes: p.scores.Bytes(), Flops: 2 * p.scores.Bytes() / 4 * int64(p.h.Cols)})
}

// carry takes the state from chunk to chunk. A software device does so in the order of time, a GPU in all chunks
// at once and then from one to the next.
func (p *ssdPass) carry() {
	T, E, N := p.z.Rows, p.Channels(), p.h.Cols
	p.starts = p.Temp(p.chunks*E, N)
	cost := graph.Cost{Bytes: p.starts.Bytes() + p.xBC.Bytes(), Flops: 2 * int64(T) * int64(E) * int64(N)}
	if p.Software() {
		own := min(2, graph.Groups(N, 32))
		p.Call("ssd_state", graph.Kernel{Shader: "ssd_state_lanes", Spec: p.lanes(own)},
			[]graph.Value{params(p.Graph), p.xBC, p.delta, p.cum, p.h, p.starts},
			p.told, [3]int{p.Heads * graph.Groups(p.HeadDim, 16), graph.Groups(N, 32*own), 1}, cost)
		return
	}
	kernel := p.product(graph.Kernel{Shader: "ssd_state", Spec: p.tiles()}, graph.Kernel{Shader: "ssd_state_coop", Spec: p.coop()})
	p.Call("ssd_state", kernel, []graph.Value{params(p.Graph), p.xBC, p.delta, p.cum, p.starts},
		p.told, [3]int{p.Heads * graph.Groups(p.HeadDim, side), graph.Groups(N, side), p.chunks}, cost)
	p.Call("ssd_carry", graph.Kernel{Shader: "ssd_carry"}, []graph.Value{params(p.Graph), p.cum, p.h, p.starts},
		p.told, [3]int{graph.Groups(E*N/4, 64), 1, 1}, graph.Cost{Bytes: 2 * p.starts.Bytes()})
}

// join adds up what a chunk's tokens make of one another and of the state it starts from.
func (p *ssdPass) join(y graph.Value) {
	T, E, N := y.Rows, y.Cols, p.h.Cols
	wide := p.HeadDim + E - p.Heads*p.HeadDim // the last head's channels with the padding
	kernel := p.product(graph.Kernel{Shader: "ssd_scan", Spec: p.tiles()}, graph.Kernel{Shader: "ssd_scan_coop", Spec: p.coop()})
	tile, groups := side, p.chunks
	if p.Software() {
		own := min(2, graph.Groups(wide, 32))
		kernel, tile, groups = graph.Kernel{Shader: "ssd_scan_lanes", Spec: p.lanes(own)}, 32*own, graph.Groups(T, 16)
	}
	p.Call("ssd_scan", kernel,
		[]graph.Value{params(p.Graph), p.xBC, p.delta, p.cum, p.scores, p.starts, p.z, p.vector(p.D), y},
		p.told, [3]int{p.Heads * graph.Groups(wide, tile), groups, 1},
		graph.Cost{Bytes: p.starts.Bytes() + p.xBC.Bytes() + 2*y.Bytes(), Flops: 2 * int64(T) * int64(E) * int64(N+chunk/2)})
}
