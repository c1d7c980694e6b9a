package ops

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

// TestRecallToken: one token of each of several sequences sees the keys of its own sequence by either
// attention or both, and what it finds is fused into its normalized input.
func TestRecallToken(t *testing.T) {
	for _, access := range accesses {
		for i, kind := range matrices {
			for j, rows := range sequenceRows {
				for k, size := range []recallSize{{8, 5, 1, 9}, {40, 16, 130, 129}, {264, 64, 7, 8}, {16, 256, 50, 200}} { // d, S, keys
					if !some(kind, j) || kind != F32 && k != (i+j)%4 || k > 1 && len(rows) > 9 {
						continue // what is new is how the matrix is read, or that sequences are many
					}
					c := recallCase{recallSize: size, kind: kind, of: rows, attends: []string{"both", "token", "layer"}[(i+j+k)%3], gated: (i+k)%2 == 0, reads: (j+k)%2 == 0, layerReads: (i+j+k)/2%2 == 0}
					t.Run(fmt.Sprintf("%s/%+v", access, c), func(t *testing.T) { testRecall(t, access, c) })
				}
			}
		}
	}
}

type recallSize struct{ d, S, tokenKeys, layerKeys int }

type recallCase struct {
	recallSize
	kind         Type
	of           []int
	attends      string
	gated, reads bool
	layerReads   bool
}

func testRecall(t *testing.T, access graph.Access, c recallCase) {
	const layers, index = 3, 1
	S, B, sequences := Padded(c.S), len(c.of), slices.Max(c.of)+1
	r := newRigOf(t, access, 1, c.of, make([]int, B))
	stream, norm, q := r.random(B*c.d, 2), r.random(c.d, 1), r.random(B*2*S, 1)
	x, scales := ref.RMSNorm(stream, norm, 1e-5, B, c.d), make([]float32, Padded(B))
	for b := range B {
		square := 0.0
		for _, v := range stream[b*c.d : (b+1)*c.d] {
			square += float64(v) * float64(v)
		}
		scales[b] = float32(1 / math.Sqrt(square/float64(c.d)+1e-5))
	}
	token := newRecalled(r, "token", c, layers, c.tokenKeys, index, sequences)
	layer := newRecalled(r, "layer", c, layers, c.layerKeys, index, sequences)
	if c.reads {
		reads := make([]uint32, sequences*layers)
		for row := range sequences {
			reads[row*layers+index] = uint32(row % 3)
		}
		r.words("reads", reads)
		token.Reads, token.Layer = r.g.Slot("reads", 0, len(reads), 1), index
	}
	if c.layerReads { // of fewer layers than are asked for their own pools
		reads := make([]uint32, 2*sequences)
		for row := range sequences {
			reads[row*2] = uint32((row + 1) % 3)
			reads[row*2+1] = 1 - min(reads[row*2], 1) // of another layer
		}
		r.words("layer reads", reads)
		layer.Reads = r.g.Slot("layer reads", 0, len(reads), 1)
	}
	want := slices.Clone(x)
	for b, row := range c.of {
		own := x[b*c.d : (b+1)*c.d]
		if c.attends != "layer" && !(c.reads && row%3 == 0) {
			copy(want[b*c.d:], ref.Add(want[b*c.d:(b+1)*c.d], token.find(row, q[b*2*S:], own)))
		}
		if c.attends != "token" && !(c.layerReads && (row+1)%3 == 0) {
			copy(want[b*c.d:], ref.Add(want[b*c.d:(b+1)*c.d], layer.find(row, q[b*2*S+S:], own)))
		}
	}
	if c.attends == "layer" {
		token.Recall = Recall{}
	}
	if c.attends == "token" {
		layer.Recall = Recall{}
	}
	n := Norm{Weight: r.vector(norm), Width: c.d, Eps: 1e-5}
	y := RecallToken(r.g, "recall", r.value("stream", B, c.d, stream), n, r.value("scales", 1, len(scales), scales),
		r.value("queries", B, 2*S, q), token.Recall, layer.Recall)
	near(t, "y", r.run(y), want)
}

// recalled is one layer's attention, among those of all layers of all sequences, with its content.
type recalled struct {
	Recall
	kv, worth, wide, gate []float32
}

// newRecalled makes one with any number of notes in the last of its places.
func newRecalled(r *rig, name string, c recallCase, layers, keys, index, sequences int) *recalled {
	S, places := Padded(c.S), sequences*layers*keys
	a := &recalled{kv: r.random(places*2*S, 1), worth: make([]float32, places), gate: r.random(2*c.d, 1)}
	for i := range places {
		count := []int{keys, 0, 1, keys / 2, max(0, keys-1)}[i/keys%5]
		if i%keys >= keys-count {
			a.worth[i] = float32(1+r.rng.IntN(8)) / 8
		}
	}
	a.Attention = Attention{KV: r.value(name+" kv", places, 2*S, a.kv), Importances: r.value(name+" worth", sequences*layers, keys, a.worth),
		Keys: keys, First: index * keys, Width: c.S, Window: 4, Sequences: sequences}
	a.Out, a.wide = r.matrix(c.kind, c.d, S, r.random(c.d*S, 0.3))
	if c.gated {
		a.Gate = r.table(2, c.d, a.gate)
	}
	return a
}

// find is what a token of the sequence in a row of the state recalls, with its gate.
func (a *recalled) find(row int, q, x []float32) []float32 {
	d, S, keys := len(x), a.Out.Cols, a.Keys
	var k, v, worth []float32
	for i := range keys {
		at := row*a.apart() + a.First + i
		if a.worth[at] > 0 {
			k, v, worth = append(k, a.kv[at*2*S:][:S]...), append(v, a.kv[at*2*S+S:][:S]...), append(worth, a.worth[at])
		}
	}
	if len(worth) == 0 {
		return make([]float32, d)
	}
	// Two attentions of the reference give this one: notes are [k | v], as wide again.
	notes := make([]float32, 0, 2*len(k))
	for i := range worth {
		notes = append(append(notes, k[i*S:(i+1)*S]...), v[i*S:(i+1)*S]...)
	}
	wide := make([]float32, 2*S)
	for i, v := range q[:S] {
		wide[i] = v * float32(math.Sqrt(2*float64(S)/float64(a.Width))) // the reference divides by its own √
	}
	keysOnly := make([]float32, 4*S*S)
	for i := range S {
		keysOnly[i*2*S+i] = 1
	}
	mixed := ref.PoolAttention(wide, ref.Attention{Q: identity(2 * S), K: keysOnly, V: identity(2 * S), O: identity(2 * S)}, notes, worth, 1, 2*S, 2*S)
	found := ref.Linear(mixed[S:], a.wide, nil, 1, S, d)
	if a.Gate.Zero() {
		return found
	}
	return ref.Fuse(x, found, &ref.FusionGate{Weight: a.gate[:d], Bias: a.gate[d:]}, 1, d)
}

func BenchmarkRecallToken(b *testing.B) {
	const d = 768
	for _, kind := range matrices {
		for _, attends := range []string{"token", "both"} {
			benchmark(b, fmt.Sprintf("mode=decode/type=%s/d=%d/S=%d/keys=%d/attends=%s", kind, d, paperS, paperP, attends), 1, func(r *rig) {
				c := recallCase{recallSize: recallSize{d: d, S: paperS}, kind: kind}
				token, layer := newRecalled(r, "token", c, 1, paperP, 0, 1), newRecalled(r, "layer", c, 1, paperPeriod*paperP, 0, 1)
				if attends == "token" {
					layer.Recall = Recall{}
				}
				RecallToken(r.g, "recall", r.value("stream", 1, d, r.random(d, 1)), Norm{Weight: r.vector(r.random(d, 1)), Width: d},
					r.value("scales", 1, Pad, r.random(Pad, 1)), r.value("queries", 1, 2*paperS, r.random(2*paperS, 1)), token.Recall, layer.Recall)
			})
		}
	}
}
