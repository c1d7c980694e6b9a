package ops

import (
	"math"

	"github.com/mmrun/mmrun/graph"
)

// A Scorer judges tokens by what they have before their norm: I = sigmoid(w · RMSNorm(x) + b), and a
// token is worth a note if I exceeds τ1.
type Scorer struct {
	Weight    Weight // (1, d+Pad): w ⊙ the norm's weight, padded, then b
	Norm      Norm
	Threshold float64
}

// Places are where a pass's notes of one layer go.
type Places struct {
	summaries, importances graph.Value
	first                  int // row
	window                 int // W when a token has the place it has in its window, 0 when that in the pass
	apart                  int // rows from sequence to sequence
}

// Of is where layer l's notes wait for the window's end.
func (p Pending) Of(l int) Places {
	W := p.Importances.Cols
	return Places{p.Summaries, p.Importances, l * W, W, p.apart()}
}

// Of is where the log has layer l's notes of the pass.
func (log Log) Of(l int) Places {
	return Places{log.Summaries, log.Importances, l*log.Importances.Cols + log.Held, 0, 0}
}

type (
	notePush struct {
		inputs, width, summary, first, rows, window int
		threshold, mean, eps                        float64
	}
	noteTokenPush struct {
		summary, first, apart, window int
		threshold                     float64
	}
)

// Note is the Note Block (arXiv 2510.03279, section 4.1) for the tokens of one sequence: every token that
// is worth it leaves its summary. A token is worth exactly what NoteToken finds it worth.
// Shapes: x (T, d) before its norm, notes (T, ·) with the summary at column 0.
func Note(g *graph.Graph, x, notes graph.Value, score Scorer, to Places) {
	S, tokens, rows := to.summaries.Cols, 1, 0
	if g.Software() {
		tokens = 8
	}
	if to.window == 0 {
		rows = vector * graph.Groups(x.Rows, vector)
	}
	if notes.Rows != x.Rows || notes.Cols < S || !notes.Packed() || !score.fits(x) {
		mismatch(g, "note", x.Shape(), notes.Shape())
		return
	}
	g.Call("note", graph.Kernel{Shader: "note"},
		[]graph.Value{params(g), x, notes, score.Weight.table(g, "note"), to.summaries, to.importances},
		notePush{x.Cols / 4, notes.Cols / 4, S / 4, to.first, rows, to.window, logit(score.Threshold), 1 / float64(score.Norm.Width), score.Norm.Eps},
		[3]int{graph.Groups(max(x.Rows, rows), tokens), 1, 1}, graph.Cost{Bytes: x.Bytes() + 8*int64(notes.Rows)*int64(S)})
}

func (s Scorer) fits(x graph.Value) bool {
	return x.Packed() && s.Weight.Rows == 1 && s.Weight.Cols == x.Cols+Pad && s.Norm.Width > 0
}

// NoteToken is the Note Block for one token of every sequence, with the norm of x and the product that
// the summary comes from: [summary | queries] = W RMSNorm(x) in a single kernel. It returns the queries, and
// what every token's norm scales it by. Rows are summed as if each were alone; see Finish.
// Shapes: x (B, d), w (S + ·, d), the queries (B, ·), the scales (B) in a row of whole vectors.
func NoteToken(g *graph.Graph, op string, x graph.Value, w Weight, score Scorer, to Places) (queries, scales graph.Value) {
	S := to.summaries.Cols
	queries, scales = g.Temp(x.Rows, max(Pad, w.Rows-S)), g.Temp(1, Padded(x.Rows))
	if w.Rows <= S || x.Cols != w.Cols || w.Cols%Pad != 0 || to.window == 0 || score.Norm.centered() || !score.fits(x) {
		mismatch(g, op, x.Shape(), []int{w.Rows, w.Cols})
		return queries, scales
	}
	all := cost(x, w, queries)
	all.Bytes += 4*int64(x.Rows)*int64(S) + 4*int64(score.Weight.Cols)
	all.Flops += 4 * int64(x.Rows) * int64(x.Cols)
	fewRows{
		op: op, kernel: w.kernel("gemv_note", nil),
		x: x, norm: score.Norm, w: w, cost: all,
		store: []graph.Value{x, score.Weight.table(g, op), to.summaries, to.importances, scales, queries},
		told:  noteTokenPush{S, to.first, to.apart, to.window, logit(score.Threshold)}, beside: 1,
	}.call(g)
	return queries, scales
}

// logit is the score whose sigmoid is t, so that a score is compared before its sigmoid rounds to 0 or
// 1: no score's is above 1, and every score's is above 0.
func logit(t float64) float64 {
	switch {
	case t <= 0:
		return -math.MaxFloat32
	case t >= 1:
		return math.MaxFloat32
	}
	return math.Log(t) - math.Log1p(-t)
}
