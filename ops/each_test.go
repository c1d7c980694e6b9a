package ops

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

// A sequenceCase is one token of each of some sequences: of a state with the given number of rows, which of them the
// sequences have, and where each of them stands.
type sequenceCase struct {
	all             int
	rows, positions []int
	heads           Heads
	rotary, keys    int
}

// TestAttentionOfEach: a token of each of several sequences meets the keys and values of its own sequence
// at its own position, and to the bit what it comes to alone, whatever sequences are beside it and in
// whatever order. Caches that no sequence of the pass has stay as they are.
func TestAttentionOfEach(t *testing.T) {
	cases := []sequenceCase{
		{1, []int{0}, []int{7}, Heads{1, 8}, 8, 300},
		{5, []int{3}, []int{0}, Heads{2, 10}, 2, 300},
		{7, []int{2, 0, 5}, []int{63, 0, 1000}, Heads{2, 64}, 16, 2048},
		{3, []int{1, 2, 0}, []int{128, 127, 129}, Heads{3, 20}, 6, 300},
		{10, []int{7, 6, 5, 4, 3, 2, 1, 0, 9}, []int{1, 2, 3, 64, 65, 200, 0, 511, 31}, Heads{1, 80}, 80, 100000},
		{MaxSequences, all(MaxSequences), slices.Repeat([]int{5, 70, 0, 130}, MaxSequences/4), Heads{1, 8}, 0, 512},
	}
	for _, access := range accesses {
		for _, c := range cases {
			t.Run(fmt.Sprintf("%s/rows=%v", access, c.rows), func(t *testing.T) { c.test(t, access) })
		}
	}
}

// A remembered is a sequence's cache before the pass, of rows padded.
type remembered struct{ keys, values []float32 }

func (c sequenceCase) test(t *testing.T, access graph.Access) {
	const base = 10000
	r := newRigOf(t, access, 1, c.rows, c.positions)
	width, far := c.heads.Count*c.heads.D(), slices.Max(c.positions)+1
	qkv := c.random(r)
	numbers, high, wide := Turns(c.rotary, base, far)
	before, caches := make([]remembered, c.all), make([]Cache, c.all)
	for row := range before {
		tokens := 3
		if i := slices.Index(c.rows, row); i >= 0 {
			tokens = c.positions[i]
		}
		n := c.heads.Count * c.heads.Width
		before[row] = remembered{padRows(r.random(tokens*n, 3), c.heads.Width), padRows(r.random(tokens*n, 1), c.heads.Width)}
		caches[row] = before[row].cache(r, row, width)
	}
	q := RotaryEach(r.g, r.value("qkv", len(qkv), 3*width, slices.Concat(qkv...)), c.heads, r.table(high, wide, numbers), c.rotary, caches)
	y := CausalEach(r.g, q, caches, c.heads, c.keys)
	got := r.run(y)
	for row := range before {
		if slices.Contains(c.rows, row) {
			continue
		}
		left := append(slices.Clone(before[row].keys), make([]float32, width)...)
		if !slices.Equal(r.read(fmt.Sprint("keys", row)), left) {
			t.Errorf("the keys of row %d, which no sequence has, were touched", row)
		}
		left = append(slices.Clone(before[row].values), make([]float32, width)...)
		if !slices.Equal(r.read(fmt.Sprint("values", row)), left) {
			t.Errorf("the values of row %d, which no sequence has, were touched", row)
		}
	}
	for i, row := range c.rows {
		alone := newRigOf(t, access, 1, []int{0}, c.positions[i:i+1])
		cache := before[row].cache(alone, 0, width)
		q := Rotary(alone.g, alone.value("qkv", 1, 3*width, qkv[i]), c.heads, alone.table(high, wide, numbers), c.rotary, cache)
		want := alone.run(Causal(alone.g, q, cache, c.heads, c.keys))
		own := got[i*y.Cols : (i+1)*y.Cols]
		if !slices.Equal(own, want) {
			t.Fatalf("sequence %d of %v at %d: %v, alone %v", i, c.rows, c.positions[i], own, want)
		}
		for _, name := range []string{"keys", "values"} {
			if !slices.Equal(r.read(fmt.Sprint(name, row)), alone.read(fmt.Sprint(name, 0))) {
				t.Fatalf("sequence %d of %v at %d: its %s are not those it has alone", i, c.rows, c.positions[i], name)
			}
		}
		near(t, fmt.Sprintf("sequence %d of %v", i, c.rows), own, c.reference(qkv[i], before[row], c.positions[i], base))
	}
}

// random is a row of [q k v] for every sequence.
func (c sequenceCase) random(r *rig) [][]float32 {
	rows := make([][]float32, len(c.rows))
	for i := range rows {
		rows[i] = padRows(r.random(3*c.heads.Count*c.heads.Width, 2), c.heads.Width)
	}
	return rows
}

// cache puts what is remembered, and room for one token more, into slots of a row.
func (b remembered) cache(r *rig, row, width int) Cache {
	room := make([]float32, width)
	keys, values := fmt.Sprint("keys", row), fmt.Sprint("values", row)
	r.words(keys, bits(append(slices.Clone(b.keys), room...)))
	r.words(values, bits(append(slices.Clone(b.values), room...)))
	return Cache{r.g.Whole(keys, width), r.g.Whole(values, width)}
}

// reference is what one row of [q k v] comes to.
func (c sequenceCase) reference(qkv []float32, b remembered, position int, base float64) []float32 {
	h := c.heads
	var parts [3][]float32 // without padding
	for head := range h.Count {
		for i := range parts {
			parts[i] = append(parts[i], qkv[(3*head+i)*h.D():][:h.Width]...)
		}
	}
	q := ref.Rotary(parts[0], 1, h.Count, h.Width, c.rotary, base, position)
	k := append(unpadded(b.keys, h), ref.Rotary(parts[1], 1, h.Count, h.Width, c.rotary, base, position)...)
	v := append(unpadded(b.values, h), parts[2]...)
	return padRows(ref.Causal(q, k, v, 1, h.Count, h.Width, position), h.Count*h.Width)
}

func unpadded(rows []float32, h Heads) (numbers []float32) {
	for row := range slices.Chunk(rows, h.D()) {
		numbers = append(numbers, row[:h.Width]...)
	}
	return numbers
}

// attended is a program of rotary and attention over caches of some rows, for B sequences.
func attended(t *testing.T, B, rows int, h Heads, keys int, one bool) *graph.Program {
	t.Helper()
	r := newRig(t, graph.New(device).Access(), 1, 1, 0, 0)
	width := h.Count * h.D()
	caches := make([]Cache, rows)
	for row := range caches {
		caches[row] = remembered{}.cache(r, row, width)
	}
	qkv, turns := r.value("qkv", B, 3*width, make([]float32, 3*B*width)), r.vector(make([]float32, 8))
	if one {
		Causal(r.g, Rotary(r.g, qkv, h, turns, 0, caches[0]), caches[0], h, keys)
	} else {
		CausalEach(r.g, RotaryEach(r.g, qkv, h, turns, 0, caches), caches, h, keys)
	}
	p, err := r.g.Plan()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestAttentionOfEachTogether: the kernels of all sequences run side by side.
func TestAttentionOfEachTogether(t *testing.T) {
	for _, rows := range []int{1, 8, MaxSequences} {
		p := attended(t, rows, rows, Heads{2, 8}, 100, false)
		if p.Dispatches() != 2*rows+1 || p.Barriers() != 2 {
			t.Errorf("%d rows take %d dispatches with %d barriers, want %d with 2", rows, p.Dispatches(), p.Barriers(), 2*rows+1)
		}
	}
}

// TestAttentionCost: what attention costs grows with the tokens that each sequence has before the pass.
func TestAttentionCost(t *testing.T) {
	h := Heads{2, 16}
	const width, keys = 32, 5000
	for _, test := range []struct {
		p         *graph.Program
		tokens    int64 // of a sequence
		positions []int64
	}{
		{attended(t, 1, 1, h, keys, true), 1, []int64{0}},
		{attended(t, 1, 1, h, keys, true), 1, []int64{4000}},
		{attended(t, 64, 1, h, keys, true), 64, []int64{4000}},
		{attended(t, 3, 4, h, keys, false), 1, []int64{70, 0, -1, 4000}},
	} {
		sum := test.p.Cost()
		for _, position := range test.positions {
			sum.Bytes += 2 * 4 * width * max(0, position)
			sum.Flops += 4 * width * test.tokens * max(0, position)
		}
		if got := test.p.Cost(test.positions...); got != sum {
			t.Errorf("%d tokens at %v cost %+v, want %+v", test.tokens, test.positions, got, sum)
		}
	}
	// Two passes of 32 tokens see what one of 64 sees.
	half, whole := attended(t, 32, 1, h, keys, true), attended(t, 64, 1, h, keys, true)
	if first, second := half.Cost(0), half.Cost(32); first.Flops+second.Flops != whole.Cost(0).Flops {
		t.Errorf("%d and %d operations of two halves, %d of both", first.Flops, second.Flops, whole.Cost(0).Flops)
	}
}

// TestAttentionRefuses: caches that cannot be those of the sequences are refused.
func TestAttentionRefuses(t *testing.T) {
	for _, widths := range [][]int{{}, {16, 24}, slices.Repeat([]int{16}, MaxSequences+1)} {
		for _, op := range []string{"rotary", "causal"} {
			r := newRig(t, graph.Buffer, 1, 1, 0, 0)
			var caches []Cache
			for _, width := range widths {
				caches = append(caches, Cache{r.g.Whole("keys", width), r.g.Whole("values", width)})
			}
			if op == "rotary" {
				RotaryEach(r.g, r.value("qkv", 2, 48, make([]float32, 96)), Heads{2, 8}, r.vector(make([]float32, 8)), 0, caches)
			} else {
				CausalEach(r.g, r.value("q", 2, 16, make([]float32, 32)), caches, Heads{2, 8}, 100)
			}
			if r.g.Err() == nil {
				t.Errorf("%s takes caches of %v", op, widths)
			}
		}
	}
}
