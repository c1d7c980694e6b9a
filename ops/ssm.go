package ops

import "github.com/mmrun/mmrun/graph"

// MaxState is the largest state size N of a state space.
const MaxState = 256

// A Selective is the selective state space of one layer (arXiv 2312.00752, section 3.2).
type Selective struct {
	DtProj Weight // (E, R)
	DtBias Weight // (E)
	A      Weight // (E, N), -exp(A_log)
	D      Weight // (E)
}

// rank and states are R and N.
func (s Selective) rank() int   { return s.DtProj.Cols }
func (s Selective) states() int { return s.A.Cols }

func (s Selective) check(g *graph.Graph, op string, dbc, u, z, h graph.Value) bool {
	E, N := s.A.Rows, s.A.Cols
	ok := u.Cols == E && z.Cols == E && dbc.Packed() && dbc.Cols == s.rank()+2*N &&
		h.Cols == N && h.Rows%E == 0 && s.DtProj.Rows == E && N%4 == 0 && N <= MaxState
	if !ok {
		mismatch(g, op, dbc.Shape(), []int{E, s.rank(), N})
	}
	return ok
}

type (
	ssmSpec     struct{ n4 int }
	ssmPush     struct{ channels, rank, blocks, width, ustride, uoffset, zstride, zoffset int }
	segNormPush struct {
		width, rank, states int
		scaleR, scaleN, eps float64
	}
)

// SSM takes one token of every sequence through the selective state space and the gate:
//
//	Δ = softplus(W_dt dt + b),  h = exp(Δ A) ⊙ h + Δ u Bᵀ,  y = (h C + D ⊙ u) ⊙ silu(z)
//
// Shapes: dbc (B, R+2N) rows of [dt | B | C], u, z and the result (B, E), h (rows·E, N).
func SSM(g *graph.Graph, dbc, u, z graph.Value, s Selective, h graph.Value) graph.Value {
	y := g.Temp(u.Rows, u.Cols)
	if !s.check(g, "ssm", dbc, u, z, h) {
		return y
	}
	E, N := s.A.Rows, s.A.Cols
	g.Call("ssm", s.DtProj.kernel("ssm", ssmSpec{N / 4}),
		[]graph.Value{params(g), dbc, s.DtProj.matrix(g, "ssm"), s.DtBias.vector(g, "ssm", E, u), u, z,
			s.A.table(g, "ssm"), s.D.vector(g, "ssm", E, u), h, y},
		ssmPush{E, s.rank() / 4, s.DtProj.Type.PanelBlocks(s.rank()), dbc.Cols / 4, u.Stride / 4, u.From / 4, z.Stride / 4, z.From / 4},
		[3]int{graph.Groups(E, 8), u.Rows, 1},
		graph.Cost{
			Bytes: s.DtProj.bytes() + 4*int64(E)*int64(N) + int64(u.Rows)*int64(E)*4*int64(2*N+3),
			Flops: int64(u.Rows) * int64(E) * int64(2*s.rank()+8*N),
		})
	return y
}

// SegmentNorm normalizes dt, B and C of every row of dbc each by its own root mean square, in place
// (FalconMamba). rank and states are R and N without padding.
// Shapes: dbc (T, R+2N) with padded R and N.
func SegmentNorm(g *graph.Graph, dbc graph.Value, s Selective, rank, states int, eps float64) {
	g.Call("segnorm", graph.Kernel{Shader: "segnorm", Plain: true}, []graph.Value{params(g), dbc},
		segNormPush{dbc.Cols / 4, s.rank() / 4, s.states() / 4, 1 / float64(rank), 1 / float64(states), eps},
		[3]int{graph.Groups(3*dbc.Rows, 32), 1, 1}, graph.Cost{Bytes: 2 * dbc.Bytes()})
}
