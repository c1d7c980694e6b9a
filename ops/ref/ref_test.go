package ref

import (
	"math"
	"slices"
	"testing"
)

// near fails the test unless got is want within the rounding of a float32.
func near(t *testing.T, what string, got []float32, want ...float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range got {
		if d := math.Abs(float64(got[i]) - want[i]); !(d <= 1e-7+1e-6*math.Abs(want[i])) {
			t.Errorf("%s: element %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

func TestFunctions(t *testing.T) {
	for _, c := range []struct{ x, sigmoid, softplus float64 }{
		{0, 0.5, math.Ln2},
		{1, 0.7310585786300049, 1.3132616875182228},
		{-1, 0.2689414213699951, 0.31326168751822286},
		{1000, 1, 1000},
		{-1000, 0, 0},
		{-40, 4.248354255291589e-18, 4.248354255291589e-18},
	} {
		for _, f := range []struct {
			name      string
			got, want float64
		}{
			{"sigmoid", Sigmoid(c.x), c.sigmoid}, {"softplus", Softplus(c.x), c.softplus}, {"silu", SiLU(c.x), c.x * c.sigmoid},
		} {
			if !(math.Abs(f.got-f.want) <= 1e-15*math.Abs(f.want)) {
				t.Errorf("%s(%v) is %v, want %v", f.name, c.x, f.got, f.want)
			}
		}
	}
}

func TestEmbed(t *testing.T) {
	near(t, "embed", Embed([]float32{1, 2, 3, 4, 5, 6}, []int32{2, 0, 2}, 2), 5, 6, 1, 2, 5, 6)
}

func TestRMSNorm(t *testing.T) {
	x := []float32{3, 4, 0, 0}
	scale := 1 / math.Sqrt(12.5+0.5)
	near(t, "weighted", RMSNorm(x, []float32{1, -2}, 0.5, 2, 2), 3*scale, -8*scale, 0, 0)
	near(t, "plain", RMSNorm(x, nil, 0.5, 2, 2), 3*scale, 4*scale, 0, 0)
}

func TestLinear(t *testing.T) {
	x, w := []float32{1, 2, -1, 0.5}, []float32{1, 0, 0, 1, 2, 3}
	near(t, "bias", Linear(x, w, []float32{10, 20, 30}, 2, 2, 3), 11, 22, 38, 9, 20.5, 29.5)
	near(t, "no bias", Linear(x, w, nil, 2, 2, 3), 1, 2, 8, -1, 0.5, -0.5)
}

func TestConvSiLU(t *testing.T) {
	// Two channels, three taps: the second is shifted by two, the first sums.
	w, bias := []float32{1, 1, 1, 1, 0, 0}, []float32{0, 0.5}
	u := []float32{1, 10, 2, 20, 3, 30}
	state := []float32{-2, -1, 5, 6}
	near(t, "y", ConvSiLU(u, w, bias, state, 3, 2, 3),
		SiLU(-2), SiLU(5.5), SiLU(2), SiLU(6.5), SiLU(6), SiLU(10.5))
	near(t, "state", state, 2, 3, 20, 30)
	near(t, "one token", ConvSiLU([]float32{1, 1}, w, nil, state, 1, 2, 3), SiLU(6), SiLU(20))
	near(t, "state after one", state, 3, 1, 30, 1)
}

func TestScan(t *testing.T) {
	// One channel of two states, two tokens.
	delta, u, D := []float32{0.5, 2}, []float32{2, -1}, []float32{0.25}
	A, B, C := []float32{-1, 0}, []float32{1, 2, 3, 4}, []float32{1, 1, 0.5, -1}
	h := []float32{1, -1}
	h00, h01 := math.Exp(-0.5)+1, 1.0
	h10, h11 := math.Exp(-2)*h00-6, h01-8
	near(t, "y", Scan(delta, A, B, C, D, u, h, 2, 1, 2), h00+h01+0.5, 0.5*h10-h11-0.25)
	near(t, "h", h, h10, h11)
}

func TestSSM(t *testing.T) {
	w := SSMWeights{DtWeight: []float32{1, 2}, DtBias: []float32{0, -1}, A: []float32{-1, -2}, D: []float32{1, 0}}
	dbc, u, z := []float32{3, 0.5, -2}, []float32{1, 2}, []float32{1, -1} // R = N = 1
	h := []float32{0, 1}
	h0, h1 := Softplus(3)*0.5, math.Exp(-2*Softplus(5))+Softplus(5)*2*0.5
	near(t, "y", SSM(w, dbc, u, z, h, 1, 2, 1, 1), (-2*h0+1)*SiLU(1), -2*h1*SiLU(-1))
	near(t, "h", h, h0, h1)

	w.Norm, w.NormEps = true, 0.25
	h = []float32{0, 1}
	dt, b, c := 3/math.Sqrt(9.25), 0.5/math.Sqrt(0.5), -2/math.Sqrt(4.25)
	d0, d1 := Softplus(dt), Softplus(2*dt-1)
	h0, h1 = d0*b, math.Exp(-2*d1)+d1*2*b
	near(t, "normed y", SSM(w, dbc, u, z, h, 1, 2, 1, 1), (c*h0+1)*SiLU(1), c*h1*SiLU(-1))
	near(t, "normed h", h, h0, h1)
}

func TestGateAndAdd(t *testing.T) {
	near(t, "gate", Gate([]float32{2, 3}, []float32{0, -200}), 0, 0)
	near(t, "gate", Gate([]float32{2, -3}, []float32{1, 30}), 2*SiLU(1), -90)
	near(t, "add", Add([]float32{1, 2}, []float32{-3, 4}), -2, 6)
}

func TestNote(t *testing.T) {
	x := []float32{1, 2, 3, -4}
	near(t, "score", NoteScore(x, []float32{0.5, 0.25}, -1, 2, 2), 0.5, Sigmoid(-0.5))
	near(t, "summary", NoteProject(x, []float32{1, 1, 0, 1, 2, 0}, 2, 2, 3), 3, 2, 2, -1, -4, 6)
	near(t, "read", []float32{ReadScore([]float32{1, 3, 0, -2}, []float32{0.5, 2}, 0.75, 2, 2)}, Sigmoid(0.75+1-2))
}

// notes returns notes of the given importances, from the position first on.
func notes(first int, importances ...float32) []Note {
	var out []Note
	for i, v := range importances {
		out = append(out, Note{Position: int64(first + i), Importance: v, Summary: []float32{v, float32(first + i)}})
	}
	return out
}

func TestCommit(t *testing.T) {
	for _, c := range []struct {
		name, policy  string
		pool, pending []Note
		want          []int64 // positions
	}{
		{"room", FIFO, notes(0, 0.6), notes(1, 0.7, 0.8), []int64{0, 1, 2}},
		{"nothing", FIFO, notes(0, 0.6), nil, []int64{0}},
		{"fifo", FIFO, notes(0, 0.9, 0.9), notes(2, 0.6, 0.6), []int64{1, 2, 3}},
		{"fifo more than the pool", FIFO, notes(0, 0.9), notes(1, 0.6, 0.6, 0.6, 0.6), []int64{2, 3, 4}},
		{"priority room", Priority, notes(0, 0.9), notes(1, 0.6), []int64{0, 1}},
		{"priority takes the least", Priority, notes(0, 0.9, 0.6, 0.8), notes(3, 0.7), []int64{0, 2, 3}},
		{"priority oldest of equals", Priority, notes(0, 0.8, 0.6, 0.6), notes(3, 0.7), []int64{0, 2, 3}},
		{"priority drops an equal", Priority, notes(0, 0.7, 0.8, 0.9), notes(3, 0.7), []int64{0, 1, 2}},
		{"priority in token order", Priority, notes(0, 0.6, 0.8, 0.9), notes(3, 0.7, 0.75, 0.65), []int64{1, 2, 4}},
	} {
		before := slices.Clone(c.pool)
		got := Commit(c.pool, c.pending, c.policy, 3)
		var positions []int64
		for _, n := range got {
			positions = append(positions, n.Position)
		}
		if !slices.Equal(positions, c.want) {
			t.Errorf("%s: positions %v, want %v", c.name, positions, c.want)
		}
		for i, n := range c.pool {
			if n.Position != before[i].Position {
				t.Errorf("%s: the caller's pool changed", c.name)
			}
		}
	}
}

func TestPoolAttention(t *testing.T) {
	w := Attention{Q: []float32{1, 0}, K: []float32{2}, V: []float32{3}, O: []float32{1, -1}} // d 2, S 1
	x := []float32{0.5, 9, -1, 9}
	near(t, "no notes", PoolAttention(x, w, nil, nil, 2, 2, 1), 0, 0, 0, 0)
	near(t, "one note", PoolAttention(x, w, []float32{7}, []float32{1e-30}, 2, 2, 1), 21, -21, 21, -21)
	want := func(q float64) float64 {
		a, b := math.Exp(q*2)*0.5, math.Exp(q*-4)*0.25
		return (a*3 + b*-6) / (a + b)
	}
	near(t, "two notes", PoolAttention(x, w, []float32{1, -2}, []float32{0.5, 0.25}, 2, 2, 1),
		want(0.5), -want(0.5), want(-1), -want(-1))
	// A far score must not overflow, and S scales by its root.
	w = Attention{Q: []float32{1e3, 0}, K: []float32{1, 0, 0, 1}, V: []float32{1, 0, 0, 1}, O: []float32{1, 1}} // d 1, S 2
	near(t, "far", PoolAttention([]float32{1}, w, []float32{1, 5, 2, 6}, []float32{1, 1}, 1, 1, 2), 8)
	w.Q = []float32{float32(math.Sqrt2), 0}
	e := math.E
	near(t, "root", PoolAttention([]float32{1}, w, []float32{1, 5, 2, 6}, []float32{1, 1}, 1, 1, 2), (6+8*e)/(1+e))
}

func TestCrossGather(t *testing.T) {
	pools := [][]Note{notes(0, 0.5, 0.75), nil, notes(4, 0.25)}
	for _, c := range []struct {
		pooling                string
		summaries, importances []float64
	}{
		{Concat, []float64{0.5, 0, 0.75, 1, 0.25, 4}, []float64{0.5, 0.75, 0.25}},
		{Mean, []float64{0.5, 2.5, 0.5, 0}, []float64{0.5, 0.5}},
		{Max, []float64{0.75, 4, 0.5, 0}, []float64{0.75, 0.5}},
	} {
		s, i := CrossGather(pools, c.pooling)
		near(t, c.pooling+" summaries", s, c.summaries...)
		near(t, c.pooling+" importances", i, c.importances...)
		if s, i := CrossGather([][]Note{nil, nil}, c.pooling); len(s)+len(i) != 0 {
			t.Errorf("%s of empty pools: %v %v", c.pooling, s, i)
		}
	}
}

func TestFuse(t *testing.T) {
	x, c := []float32{1, 2, -1, 0}, []float32{10, 20, 30, 40}
	near(t, "residual", Fuse(x, c, nil, 2, 2), 10, 20, 30, 40)
	near(t, "gated", Fuse(x, c, &FusionGate{Weight: []float32{2, 0.5}, Bias: []float32{-2, 1}}, 2, 2),
		5, 20*Sigmoid(2), 30*Sigmoid(-4), 40*Sigmoid(1))
}
