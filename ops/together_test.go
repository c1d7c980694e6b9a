package ops

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

// A windowCase is a memory whose windows begin in several sequences together.
type windowCase struct {
	L, P, W, S, E, N, period int
	room                     ref.Room // P at the most
	policy, pooling          string
}

// A statePart is one of what the sequences have: rows of one, and how many lie from one to the next.
type statePart struct {
	name              string
	rows, cols, apart int
}

func (c windowCase) parts(gap int) []statePart {
	attending, keys := c.L/c.period, c.P
	if c.pooling == "concat" {
		keys *= c.period
	}
	notes, waiting, cross := c.L*c.P, c.L*c.W, attending*keys
	var parts []statePart
	part := func(name string, rows, cols int) { parts = append(parts, statePart{name, rows, cols, rows + gap}) }
	part("pool", notes, c.S)
	part("importance", notes, 1)
	part("position", notes, 1)
	part("pending", waiting, c.S)
	part("noted", waiting, 1)
	part("kv", notes, 2*c.S)
	part("cross", cross, 2*c.S)
	part("worth", cross, 1)
	part("reads", c.L, 1)
	part("layer reads", attending, 1)
	return parts
}

// states are parts of the given number of sequences with pools of any fill and any notes, by name.
func (c windowCase) states(r *rig, parts []statePart, sequences int) map[string][]float32 {
	all := map[string][]float32{}
	for _, p := range parts {
		all[p.name] = r.random(sequences*p.apart*p.cols, 1)
	}
	for s := range sequences {
		for l := range c.L {
			some := r.rng.IntN(c.room.First + 1)
			for i := range c.P {
				at := s*parts[1].apart + l*c.P + i
				all["importance"][at], all["position"][at] = 0, math.Float32frombits(uint32(i))
				if i >= c.P-some {
					all["importance"][at] = float32(1+r.rng.IntN(8)) / 8
				}
			}
		}
		for i := range c.L * c.W {
			all["noted"][s*parts[4].apart+i] = float32(max(0, r.rng.IntN(9)-2)) / 8
		}
	}
	return all
}

// weights are what the windows of all sequences begin with.
type windowWeights struct{ token, cross, w, bias []float32 }

// begin adds to a rig what happens when the windows of the given number of sequences together begin at the most; h are the
// states of all layers, each of all sequences.
func (c windowCase) begin(r *rig, parts []statePart, state map[string][]float32, h []float32, w windowWeights, sequences, together int) {
	v := map[string]graph.Value{}
	for _, p := range parts {
		v[p.name] = r.value(p.name, sequences*p.apart, p.cols, state[p.name])
	}
	notes := Notes{v["pool"], r.g.Shaped(v["importance"], c.L, c.P), r.g.Shaped(v["position"], c.L, c.P), sequences}
	pending := Pending{v["pending"], r.g.Shaped(v["noted"], c.L, c.W), sequences}
	log := OpenLog(r.g, notes, pending, together, 0)
	pools := NewPools(r.g, log, c.P)
	FillPools(r.g, log, pools, Room{c.room.First, c.room.Growth}, c.policy == "priority", 0, c.L)
	Commit(r.g, log, pools, pending, notes)
	Keys(r.g, notes.Sources(together), r.table(c.L*2*c.S, c.S, w.token), v["kv"])
	sources := CrossSources(r.g, notes, together, c.period, c.pooling, v["worth"])
	Keys(r.g, sources, r.table(c.L/c.period*2*c.S, c.S, w.cross), v["cross"])
	numbers := c.E * Padded(c.N)
	layers := Layered{r.value("h", len(h)/4, 4, h), 0, sequences * numbers, numbers, sequences}
	Decide(r.g, layers, together, c.N, r.table(c.L, c.E, w.w), r.table(c.L, Pad, w.bias), 0.5, v["reads"])
	some := c.L / c.period
	Decide(r.g, layers.Every(c.period), together, c.N, r.table(some, c.E, w.w[:some*c.E]), r.table(some, Pad, w.bias[:some*Pad]), 0.5, v["layer reads"])
}

// TestWindowsTogether: windows of several sequences that begin together leave every one what it has when its
// window begins alone, to the bit, and what the reference says; and nothing of other sequences, nor between
// those, is touched.
func TestWindowsTogether(t *testing.T) {
	for _, access := range accesses {
		for i, rows := range sequenceRows {
			for j, policy := range []string{"fifo", "priority"} {
				c := windowCase{L: 3, P: []int{7, 1, 50}[(i+j)%3], W: []int{5, 1, 16}[i%3], S: []int{8, 24}[j], E: 24, N: 13,
					period: 1 + (i+j)%2, policy: policy, pooling: []string{"concat", "mean", "max"}[(i+j)%3]}
				c.room = ref.Room{First: c.P, Most: c.P}
				if (i+j)%2 == 0 {
					c.room.First, c.room.Growth = 1+c.P/4, 1+c.P/9
				}
				t.Run(fmt.Sprintf("%s/B=%d/%s/%s/%+v", access, len(rows), policy, c.pooling, c.room), func(t *testing.T) { testTogether(t, access, rows, c) })
			}
		}
	}
}

func testTogether(t *testing.T, access graph.Access, rows []int, c windowCase) {
	t.Helper()
	sequences, positions := min(slices.Max(rows)+2, MaxSequences), make([]int, len(rows))
	for b := range rows {
		positions[b] = c.W * (1 + b)
	}
	r, parts := newRigOf(t, access, 1, rows, positions), c.parts(5)
	before, numbers := c.states(r, parts, sequences), c.E*Padded(c.N)
	h := r.random(c.L*sequences*numbers, 1)
	for i := range h { // padding is zero
		if i%Padded(c.N) >= c.N {
			h[i] = 0
		}
	}
	w := windowWeights{r.random(c.L*2*c.S*c.S, 1), r.random(c.L/c.period*2*c.S*c.S, 1), r.random(c.L*c.E, 2), r.random(c.L*Pad, 0.5)}
	c.begin(r, parts, before, h, w, sequences, min(len(rows)+3, sequences))
	r.run(graph.Value{})
	after := map[string][]float32{}
	for _, p := range parts {
		after[p.name] = r.read(p.name)
	}
	c.commits(t, parts, before, after, rows)
	for b, row := range rows {
		if len(rows) > 9 && b%9 > 0 {
			continue
		}
		own, state, mine := c.parts(0), map[string][]float32{}, []float32(nil)
		for i, p := range parts {
			state[p.name] = before[p.name][row*p.apart*p.cols:][:own[i].rows*p.cols]
		}
		for l := range c.L {
			mine = append(mine, h[(l*sequences+row)*numbers:][:numbers]...)
		}
		alone := newRigOf(t, access, 1, []int{0}, positions[b:b+1])
		c.begin(alone, own, state, mine, w, 1, 1)
		alone.run(graph.Value{})
		for i, p := range parts {
			if got := after[p.name][row*p.apart*p.cols:][:own[i].rows*p.cols]; !slices.Equal(bits(got), bits(alone.read(p.name))) {
				t.Errorf("sequence %d: %s differs from that of the sequence alone", b, p.name)
			}
		}
	}
	for _, p := range parts { // what nobody should have touched
		for _, row := range rows {
			from, size := row*p.apart*p.cols, p.rows*p.cols
			copy(after[p.name][from:from+size], before[p.name][from:from+size])
		}
		if !slices.Equal(bits(after[p.name]), bits(before[p.name])) {
			t.Errorf("%s of sequences whose windows go on was touched", p.name)
		}
	}
}

// commits holds the pools of sequences after their windows' beginnings to the reference.
func (c windowCase) commits(t *testing.T, parts []statePart, before, after map[string][]float32, rows []int) {
	t.Helper()
	of := func(state map[string][]float32, summaries, importances statePart, row, l, n int) (notes []ref.Note) {
		for i := l * n; i < (l+1)*n; i++ {
			if at := row*importances.apart + i; state[importances.name][at] > 0 {
				notes = append(notes, ref.Note{Importance: state[importances.name][at], Summary: state[summaries.name][(row*summaries.apart+i)*c.S:][:c.S]})
			}
		}
		return notes
	}
	for b, row := range rows {
		for l := range c.L {
			pool, fresh := of(before, parts[0], parts[1], row, l, c.P), of(before, parts[3], parts[4], row, l, c.W)
			if got, want := of(after, parts[0], parts[1], row, l, c.P), ref.Commit(pool, fresh, c.policy, c.room.At(int64(1+b))); !slices.EqualFunc(got, want, sameNote) {
				t.Errorf("row %d, layer %d: pool %v, want %v", row, l, got, want)
			}
		}
	}
}
