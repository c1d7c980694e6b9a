package ops

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

// TestNote: a token above the threshold leaves its summary and importance at its own place of the
// window, in its own layer; every other place stays as it was. The pass ends with the window or
// lies inside it.
func TestNote(t *testing.T) {
	const L, layer = 3, 1
	sweep(t, func(t *testing.T, access graph.Access, T int) {
		for _, S := range []int{8, 64, 256} {
			for _, W := range []int{T, 300, MaxWindow} {
				into := (W - T) / 2 * 2 // tokens of the window before the pass
				testNote(t, access, noteCase{T, T, S, W, into, L, layer, 0.5})
			}
		}
		testNote(t, access, noteCase{T, max(1, T/2), 8, 300, 41, L, 0, 0.7}) // a chunk's last, shorter pass
		testNote(t, access, noteCase{T, T, 8, 300, 3, L, L - 1, -1})         // everything is worth a note
		testNote(t, access, noteCase{T, T, 8, 300, 3, L, L - 1, 1})          // nothing is
	})
}

// A noteCase is a pass of so many tokens in a program for rows, into tokens after a window's first.
type noteCase struct {
	rows, tokens, S, W, into, L, layer int
	threshold                          float64
}

func testNote(t *testing.T, access graph.Access, c noteCase) {
	t.Helper()
	r := newRig(t, access, c.tokens, 1, 0, 5*c.W+c.into)
	score := c.S + 4 // a query lies between
	width := score + Pad
	notes := r.random(c.rows*width, 3)
	summaries, noted := r.random(c.L*c.W*c.S, 1), r.random(c.L*c.W, 1)
	pending := Pending{r.value("pending", c.L*c.W, c.S, summaries), r.value("noted", c.L, c.W, noted)}
	Note(r.g, r.value("notes", c.rows, width, notes), score, c.threshold, pending, c.layer)
	r.run(graph.Value{})

	for i := range c.tokens {
		row := notes[i*width:]
		I := ref.NoteScore(row[score:score+1], []float32{1}, 0, 1, 1)[0]
		if float64(I) <= c.threshold {
			continue
		}
		place := c.layer*c.W + c.into + i
		noted[place] = I
		copy(summaries[place*c.S:(place+1)*c.S], row)
	}
	what := fmt.Sprintf("%+v", c)
	near(t, what+" importances", r.read("noted"), noted)
	if !slices.Equal(r.read("pending"), summaries) {
		t.Fatalf("%s: the pending summaries differ", what)
	}
}

// TestNoteOfNothing: an importance too small for a float32 is still a note, not an empty place.
func TestNoteOfNothing(t *testing.T) {
	for _, access := range accesses {
		r := newRig(t, access, 1, 1, 0, 0)
		notes := make([]float32, 8+Pad)
		notes[8] = -200
		pending := Pending{r.value("pending", 1, 8, make([]float32, 8)), r.value("noted", 1, 1, []float32{0})}
		Note(r.g, r.value("notes", 1, 8+Pad, notes), 8, -0.5, pending, 0)
		r.run(graph.Value{})
		if got := r.read("noted")[0]; !(got > 0 && got < 1e-37) {
			t.Errorf("%s: importance %g, want the least that is one", access, got)
		}
	}
}
