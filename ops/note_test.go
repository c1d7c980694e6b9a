package ops

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

// TestNote: a token above the threshold leaves its summary and importance at its own place of the
// window, in its own layer; every other place stays as it was, but for the importance of a token that
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

// A noteCase is a pass of so many tokens in a program for rows, into tokens after a window's first.
type noteCase struct {
	rows, tokens, S, W, into, L, layer, d int
	threshold                             float64
}

func testNote(t *testing.T, access graph.Access, c noteCase) {
	t.Helper()
	r := newRig(t, access, c.tokens, 1, 0, 5*c.W+c.into)
	width := c.S + 8 // a query follows
	x, notes := r.random(c.rows*c.d, 1), r.random(c.rows*width, 3)
	w := r.random(c.d+Pad, 1)
	score := r.table(1, c.d+Pad, w)
	summaries, noted := r.random(c.L*c.W*c.S, 1), r.random(c.L*c.W, 1)
	pending := Pending{r.value("pending", c.L*c.W, c.S, summaries), r.value("noted", c.L, c.W, noted)}
	Note(r.g, r.value("x", c.rows, c.d, x), r.value("notes", c.rows, width, notes), score, c.threshold, pending.Of(c.layer))
	r.run(graph.Value{})

	for i, I := range ref.NoteScore(x, w[:c.d], w[c.d], c.tokens, c.d) {
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

// TestNoteSequences: one token of each of several sequences, at positions of their own, goes to the
// sequence's own places, and to no other.
func TestNoteSequences(t *testing.T) {
	const L, layer, W, S, d, rows = 3, 1, 16, 8, 40, MaxSequences
	const apart = (L + 1) * W // of the next sequence, with room between
	for _, access := range accesses {
		for _, of := range sequenceRows {
			B, positions := len(of), make([]int, len(of))
			for b := range positions {
				positions[b] = 7*b + b%3*W
			}
			r := newRigOf(t, access, 1, of, positions)
			x, notes, w := r.random(B*d, 1), r.random(B*S, 3), r.random(d+Pad, 1)
			summaries, noted := r.random(rows*apart*S, 1), r.random(rows*apart, 1)
			pending := Pending{r.value("pending", rows*apart, S, summaries), r.value("noted", rows*(L+1), W, noted)}
			Note(r.g, r.value("x", B, d, x), r.value("notes", B, S, notes), r.table(1, d+Pad, w), 0.5, pending.OfEach(layer, rows))
			r.run(graph.Value{})
			for b, I := range ref.NoteScore(x, w[:d], w[d], B, d) {
				place := of[b]*apart + layer*W + positions[b]%W
				if noted[place] = 0; I > 0.5 {
					noted[place] = I
					copy(summaries[place*S:(place+1)*S], notes[b*S:])
				}
			}
			near(t, fmt.Sprintf("%s: B=%d: importances", access, B), r.read("noted"), noted)
			if !slices.Equal(r.read("pending"), summaries) {
				t.Fatalf("%s: B=%d: the pending summaries differ", access, B)
			}
		}
	}
}

// TestNoteOfNothing: an importance too small for a float32 is still a note, not an empty place, if it
// is above the threshold; and one that rounds to 1 is not above 1.
func TestNoteOfNothing(t *testing.T) {
	for _, access := range accesses {
		for _, c := range []struct {
			score, threshold float64
			note             bool
		}{{-200, -0.5, true}, {-200, 0, true}, {200, 1, false}, {200, 0.999, true}} {
			r := newRig(t, access, 1, 1, 0, 0)
			pending := Pending{r.value("pending", 1, 8, make([]float32, 8)), r.value("noted", 1, 1, []float32{0})}
			w := make([]float32, 2*Pad)
			w[Pad] = float32(c.score)
			score := r.table(1, 2*Pad, w)
			Note(r.g, r.value("x", 1, Pad, make([]float32, Pad)), r.value("notes", 1, 8, make([]float32, 8)), score, c.threshold, pending.Of(0))
			r.run(graph.Value{})
			if got := r.read("noted")[0]; got > 0 != c.note || got > 1 {
				t.Errorf("%s: %+v: importance %g", access, c, got)
			}
		}
	}
}

// TestNoteIsOfTheTokenAlone: the same token is worth exactly the same wherever it stands in passes of any
// length, so that priority replacement finds equals equal.
func TestNoteIsOfTheTokenAlone(t *testing.T) {
	const d = 100
	for _, access := range accesses {
		var worth []float32
		for _, T := range []int{1, 2, 9, 65} {
			r := newRig(t, access, T, 1, 0, 0)
			token, w := r.random(Padded(d), 1), r.random(Padded(d)+Pad, 1)
			score := r.table(1, len(w), w)
			pending := Pending{r.value("pending", T, 8, make([]float32, T*8)), r.value("noted", 1, T, make([]float32, T))}
			Note(r.g, r.value("x", T, len(token), slices.Repeat(token, T)), r.value("notes", T, 8, make([]float32, T*8)), score, 0, pending.Of(0))
			r.run(graph.Value{})
			worth = append(worth, r.read("noted")...)
		}
		if slices.Min(worth) != slices.Max(worth) {
			t.Errorf("%s: the same token is worth %v", access, worth)
		}
	}
}
