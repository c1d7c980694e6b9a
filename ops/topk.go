package ops

import (
	"fmt"

	"github.com/mmrun/mmrun/graph"
)

// The bounds of TopK: of k by the memory that a workgroup shares, of vocab by how often a software
// device lets an invocation loop.
const (
	MaxTop      = 128 // MAX_TOP of the shader
	MaxTopVocab = 1 << 18
)

const topPiece = 16 // logits that are ranked as one first; PIECE of the shader

type (
	topKSpec       struct{ lanes uint32 }
	topKPush       struct{ vocab, stride, pieces, k int }
	topKPiecesPush struct{ vocab, stride, pieces int }
)

// TopK finds the k highest of the first vocab numbers of every row of logits, of equals those that come
// first. NaN and +Inf count as the highest of all, so that nobody overlooks them.
// Shapes: logits (B, at least vocab), top (B, 2k): the k columns in no order, as uint32, then their
// logits in the same order; k is at most MaxTop and vocab, vocab at most
// MaxTopVocab.
func TopK(g *graph.Graph, top, logits graph.Value, vocab int) {
	k := top.Cols / 2
	if top.Rows != logits.Rows || top.Cols%2 != 0 || !logits.Packed() || logits.Cols%4 != 0 {
		mismatch(g, "topk", top.Shape(), logits.Shape())
		return
	}
	if k > min(vocab, MaxTop) || vocab > min(logits.Cols, MaxTopVocab) {
		g.Fail(fmt.Errorf("topk: %d of %d numbers in rows of %d", k, vocab, logits.Cols))
		return
	}
	pieces := (vocab + 4*topPiece - 1) / (4 * topPiece) * 4
	highest := g.Temp(logits.Rows, pieces)
	g.Call("topk", graph.Kernel{Shader: "topk_pieces"}, []graph.Value{params(g), logits, highest},
		topKPiecesPush{vocab, logits.Cols / 4, pieces},
		[3]int{graph.Groups(pieces, 128), logits.Rows, 1}, graph.Cost{Bytes: logits.Bytes() + highest.Bytes()})
	g.Call("topk", graph.Kernel{Shader: "topk", Spec: topKSpec{topLanes(g)}},
		[]graph.Value{params(g), logits, highest, top},
		topKPush{vocab, logits.Cols / 4, pieces, k},
		[3]int{logits.Rows, 1, 1}, graph.Cost{Bytes: highest.Bytes() + top.Bytes()})
}

// TopKFits says whether the device has what TopK needs: memory that a workgroup shares.
func TopKFits(g *graph.Graph) bool {
	return g.Fits(graph.Kernel{Shader: "topk", Spec: topKSpec{topLanes(g)}}) == nil
}

// topLanes is how many invocations share a row.
func topLanes(g *graph.Graph) uint32 {
	if g.Software() {
		return 8
	}
	return 128
}
