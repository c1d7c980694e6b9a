package ops

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

// TestNote: a token above the threshold leaves its summary and importance at its own place of the
// window, in its own layer; every other place stays as it was, except for the importance of a token that
// leaves none. The pass ends with the window or lies inside it.
func TestNote(t *testing.T) {
	const L, layer = 3, 1
	sweep(t, func(t *testing.T, access graph.Access, T int) {
		for _, S := range []int{8, 64, 256} {
			for _, W := range []int{T, 300, MaxWindow} {
				into := (W - T) / 2 * 2 // tokens of the window before the pass
				testNote(t, access, noteCase{T, T, S, W, into, L, layer, 40, 0.5})
			}
		}
		testNote(t, access, noteCase{T, max(1, T/2), 8, 300, 41, L, 0, 136, 0.7}) // a chunk's last, shorter pass
		testNote(t, access, noteCase{T, T, 8, 300, 3, L, L - 1, 8, -1})           // everything is worth a note
		testNote(t, access, noteCase{T, T, 8, 300, 3, L, L - 1, 8, 1})            // nothing is
	})
}

// A noteCase is a pass of the given number of tokens in a program for rows, into tokens after a window's first.
type noteCase struct {
	rows, tokens, S, W, into, L, layer, d int
	threshold                             float64
}

func testNote(t *testing.T, access graph.Access, c noteCase) {
	t.Helper()
	r := newRig(t, access, c.tokens, 1, 0, 5*c.W+c.into)
	width := c.S + 8 // a query follows
	x, notes := r.random(c.rows*c.d, 1), r.random(c.rows*width, 3)
	score := newJudge(r, c.d, c.threshold)
	summaries, noted := r.random(c.L*c.W*c.S, 1), r.random(c.L*c.W, 1)
	pending := Pending{r.value("pending", c.L*c.W, c.S, summaries), r.value("noted", c.L, c.W, noted), 1}
	Note(r.g, r.value("x", c.rows, c.d, x), r.value("notes", c.rows, width, notes), score.Scorer, pending.Of(c.layer))
	r.run(graph.Value{})

	for i, I := range score.importances(x, c.tokens) {
		place := c.layer*c.W + c.into + i
		if float64(I) <= c.threshold {
			noted[place] = 0
			continue
		}
		noted[place] = I
		copy(summaries[place*c.S:(place+1)*c.S], notes[i*width:])
	}
	what := fmt.Sprintf("%+v", c)
	near(t, what+" importances", r.read("noted"), noted)
	if !slices.Equal(r.read("pending"), summaries) {
		t.Fatalf("%s: the pending summaries differ", what)
	}
}

// A judge is a scorer with the numbers it is made of.
type judge struct {
	Scorer
	norm, w []float32
	bias    float32
}

func newJudge(r *rig, d int, threshold float64) *judge {
	j := &judge{norm: r.random(d, 1), w: r.random(d, 1), bias: r.random(1, 1)[0]}
	folded := make([]float32, d+Pad)
	for i := range d {
		folded[i] = j.w[i] * j.norm[i]
	}
	folded[d] = j.bias
	j.Scorer = Scorer{Weight: r.table(1, d+Pad, folded), Norm: Norm{Weight: r.vector(j.norm), Width: d, Eps: 1e-5}, Threshold: threshold}
	return j
}

// importances are those of T tokens x (T, d).
func (j *judge) importances(x []float32, T int) []float32 {
	d := len(j.w)
	return ref.NoteScore(ref.RMSNorm(x, j.norm, 1e-5, T, d), j.w, j.bias, T, d)
}

// TestNoteToken: one token of each of several sequences, at positions of their own, leaves its summary and
// importance at the sequence's own places, and at no other; queries and scales come back.
func TestNoteToken(t *testing.T) {
	for _, access := range accesses {
		for i, kind := range matrices {
			for j, rows := range sequenceRows {
				if !some(kind, j) {
					continue
				}
				d, S, queries := []int{40, 264, 8}[(i+j)%3], []int{8, 64, 256}[j%3], []int{8, 136}[(i+j)%2]
				t.Run(fmt.Sprintf("%s/%s/B=%d/d=%d/S=%d", access, kind, len(rows), d, S), func(t *testing.T) {
					testNoteToken(t, access, kind, rows, d, S, queries)
				})
			}
		}
	}
}

func testNoteToken(t *testing.T, access graph.Access, kind Type, of []int, d, S, width int) {
	const L, layer, W, rows, threshold = 3, 1, 16, MaxSequences, 0.5
	const apart = (L + 1) * W // of the next sequence, with room between
	B, positions := len(of), make([]int, len(of))
	for b := range positions {
		positions[b] = 7*b + b%3*W
	}
	r := newRigOf(t, access, 1, of, positions)
	x, score := r.random(B*d, 2), newJudge(r, d, threshold)
	w, wide := r.matrix(kind, S+width, d, r.random((S+width)*d, 0.3))
	summaries, noted := r.random(rows*apart*S, 1), r.random(rows*apart, 1)
	pending := Pending{r.value("pending", rows*apart, S, summaries), r.value("noted", rows*(L+1), W, noted), rows}
	queries, scales := NoteToken(r.g, "notes", r.value("x", B, d, x), w, score.Scorer, pending.Of(layer))
	r.value("scales", 1, scales.Cols, make([]float32, scales.Cols))
	r.g.Copy(r.g.Slot("scales", 0, 1, scales.Cols), scales)
	got := r.run(queries)

	normed := ref.RMSNorm(x, score.norm, 1e-5, B, d)
	product, importances := ref.Linear(normed, wide, nil, B, d, S+width), score.importances(x, B)
	var want []float32
	for b, I := range importances {
		place := of[b]*apart + layer*W + positions[b]%W
		if noted[place] = 0; I > threshold {
			noted[place] = I
		}
		copy(summaries[place*S:(place+1)*S], product[b*(S+width):])
		want = append(want, product[b*(S+width)+S:(b+1)*(S+width)]...)
		first := slices.IndexFunc(x[b*d:(b+1)*d], func(v float32) bool { return v != 0 })
		near(t, "scale", r.read("scales")[b:b+1], []float32{normed[b*d+first] / score.norm[first] / x[b*d+first]})
	}
	near(t, "queries", got, want)
	near(t, "importances", r.read("noted"), noted)
	near(t, "summaries", r.read("pending"), summaries)
}

// TestNoteOfNothing: an importance too small for a float32 is still a note, not an empty place, if it
// is above the threshold; and one that rounds to 1 is not above 1.
func TestNoteOfNothing(t *testing.T) {
	for _, access := range accesses {
		for _, c := range []struct {
			score, threshold float64
			note             bool
		}{{-200, -0.5, true}, {-200, 0, true}, {200, 1, false}, {200, 0.999, true}} {
			for _, single := range []bool{false, true} {
				r := newRig(t, access, 1, 1, 0, 0)
				w := make([]float32, 2*Pad)
				w[Pad] = float32(c.score)
				score := Scorer{r.table(1, 2*Pad, w), Norm{Weight: r.vector(make([]float32, Pad)), Width: Pad, Eps: 1e-5}, c.threshold}
				if got := noted(r, score, single, make([]float32, Pad), 1)[0]; got > 0 != c.note || got > 1 {
					t.Errorf("%s: %+v: importance %g, of a single token %v", access, c, got, single)
				}
			}
		}
	}
}

// noted takes T tokens x through the Note Block, as single tokens of the given number of sequences or as a pass of one, and
// returns what they are worth.
func noted(r *rig, score Scorer, single bool, x []float32, T int) []float32 {
	d := len(x) / T
	pending := Pending{r.value("pending", T, 8, make([]float32, T*8)), r.value("noted", T, 1, make([]float32, T)), T}
	stream := r.value("x", T, d, x)
	if single {
		w, _ := r.matrix(F32, 16, d, make([]float32, 16*d))
		NoteToken(r.g, "notes", stream, w, score, pending.Of(0))
	} else {
		pending.Importances, pending.Sequences = r.g.Slot("noted", 0, 1, T), 1
		Note(r.g, stream, r.value("notes", T, 8, make([]float32, T*8)), score, pending.Of(0))
	}
	r.run(graph.Value{})
	return r.read("noted")
}

// TestNoteIsOfTheTokenAlone: the same token is worth exactly the same wherever it stands in passes of any
// length and among single tokens of any number, so that priority replacement finds equals equal.
func TestNoteIsOfTheTokenAlone(t *testing.T) {
	const d = 1000
	for _, access := range accesses {
		var worth []float32
		for _, T := range []int{1, 2, 9, 64, 65} {
			for _, single := range []bool{false, true} {
				if single && T > MaxSequences {
					continue
				}
				r := newRig(t, access, T, 1, 0, 0)
				if single {
					r = newRig(t, access, 1, T, 0, 0)
				}
				score, token := newJudge(r, d, 0), r.random(d, 1)
				worth = append(worth, noted(r, score.Scorer, single, slices.Repeat(token, T), T)...)
			}
		}
		if slices.Min(worth) != slices.Max(worth) {
			t.Errorf("%s: the same token is worth %g to %g", access, slices.Min(worth), slices.Max(worth))
		}
	}
}

func BenchmarkNote(b *testing.B) {
	const width = 3 * paperS // the summary and two queries
	for _, d := range []int{64, 768} {
		benchmark(b, fmt.Sprintf("%s/d=%d/S=%d", mode(paperW), d, paperS), paperW, func(r *rig) {
			_, pending := memoryRig(r, paperL, 1, paperW, paperS)
			x, notes := r.value("x", paperW, d, r.random(paperW*d, 1)), r.value("notes", paperW, width, r.random(paperW*width, 1))
			Note(r.g, x, notes, newJudge(r, d, 0.5).Scorer, pending.Of(3))
		})
		benchmark(b, fmt.Sprintf("mode=decode/d=%d/S=%d", d, paperS), 1, func(r *rig) {
			_, pending := memoryRig(r, paperL, 1, paperW, paperS)
			score := newJudge(r, d, 0.5)
			w, _ := r.matrix(F16, width, d, r.random(width*d, 1))
			NoteToken(r.g, "notes", r.value("x", 1, d, r.random(d, 1)), w, score.Scorer, pending.Of(3))
		})
	}
}
