package ops

import "github.com/mmrun/mmrun/graph"

// lanes is how many invocations keep a GPU busy; a software device has few and is better off with
// one piece per channel.
const lanes = 1 << 15

// ScanPieces is how many pieces of time a scan of T tokens and E channels is cut into: as many as it
// takes to give a GPU enough lanes, none shorter than 16 tokens.
func ScanPieces(g *graph.Graph, T, E int) int {
	if g.Software() {
		return 1
	}
	return max(1, min(lanes/E, T/16))
}

type (
	scanSpec      struct{ n4, pieces int }
	scanSliceSpec struct {
		scanSpec
		slice int
	}
	scanPush      struct{ channels, rank, width, zstride, zoffset, from int }
	scanLocalPush struct{ channels, rank, width int }
	scanCarryPush struct{ channels int }
)

// scanSlice is how many numbers of a channel's state a scan has at once, as many as registers hold.
const scanSlice = 64

// Scan takes T tokens of one sequence through the selective state space and the gate, in pieces
// of time scanned in parallel:
//
//	h_t = exp(Δ_t A) ⊙ h_{t-1} + Δ_t u_t B_tᵀ,  y_t = (h_t C_t + D ⊙ u_t) ⊙ silu(z_t)
//
// First every piece runs from an empty state; carrying a state across a piece then needs only its
// last state and ΣΔ; last every piece runs from the state carried to it. A large state is taken in slices.
// Shapes: delta, u, z and the result (T, E), dbc (T, R+2N), h (rows·E, N) of which the pass's row is
// read and replaced.
func Scan(g *graph.Graph, delta, dbc, u, z graph.Value, s Selective, h graph.Value, pieces int) graph.Value {
	y := g.Temp(u.Rows, u.Cols)
	if !s.check(g, "scan", dbc, u, z, h) {
		return y
	}
	if !u.Packed() || !delta.Packed() || delta.Rows != u.Rows || delta.Cols != u.Cols {
		mismatch(g, "scan", delta.Shape(), u.Shape())
		return y
	}
	E, N := s.A.Rows, s.A.Cols
	A, D := s.A.table(g, "scan"), s.D.vector(g, "scan", E, u)
	spec, carry := scanSpec{N / 4, pieces}, h // not read when there is one piece
	if pieces > 1 {
		carry = scanCarry(g, delta, dbc, u, A, s, h, spec)
	}
	before := u // not read by the first slice
	for from := 0; from < N; from += scanSlice {
		n := min(scanSlice, N-from)
		g.Call("scan", graph.Kernel{Shader: "scan", Spec: scanSliceSpec{spec, n / 4}},
			[]graph.Value{params(g), delta, u, dbc, z, A, D, h, carry, before, y},
			scanPush{E, s.rank() / 4, dbc.Cols / 4, z.Stride / 4, z.From / 4, from / 4},
			[3]int{graph.Groups(E, 8), pieces, 1},
			graph.Cost{Bytes: 4*y.Bytes() + dbc.Bytes() + 8*int64(E)*int64(n), Flops: 8 * int64(u.Rows) * int64(E) * int64(n)})
		if from+n < N {
			before, y = y, g.Temp(u.Rows, u.Cols)
		}
	}
	return y
}

// scanCarry runs the first two phases and returns the state every piece starts from.
// Shape: (pieces·E, N).
func scanCarry(g *graph.Graph, delta, dbc, u, A graph.Value, s Selective, h graph.Value, spec scanSpec) graph.Value {
	E, N, pieces := s.A.Rows, s.A.Cols, spec.pieces
	carry, total := g.Temp(pieces*E, N), g.Temp(pieces, E)
	g.Call("scan_local", graph.Kernel{Shader: "scan_local", Spec: spec},
		[]graph.Value{params(g), delta, u, dbc, A, carry, total},
		scanLocalPush{E, s.rank() / 4, dbc.Cols / 4}, [3]int{graph.Groups(E, 8), pieces, graph.Groups(N, scanSlice)},
		graph.Cost{Bytes: 2*u.Bytes() + dbc.Bytes()/2 + carry.Bytes(), Flops: 6 * int64(u.Rows) * int64(E) * int64(N)})
	g.Call("scan_carry", graph.Kernel{Shader: "scan_carry", Spec: spec},
		[]graph.Value{params(g), A, h, total, carry},
		scanCarryPush{E}, [3]int{graph.Groups(E*N/4, 64), 1, 1}, graph.Cost{Bytes: 2 * carry.Bytes()})
	return carry
}
