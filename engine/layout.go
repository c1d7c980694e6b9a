package engine

import (
	"fmt"

	"github.com/mmrun/mmrun/graph"
)

// stateSlot is the slot under which the fixed parts of a state are bound to a program.
const stateSlot = "state"

// A layout says where the parts of fixed size lie in one block, of one sequence or of several: the rows of
// several sequences lie side by side in each part, so that a kernel finds all of a layer's together.
// Derived parts come last, so that what is saved of a state is the beginning of its block.
type layout struct {
	sequences int
	fixed     []region
	growing   []Part
	saved     int64 // bytes before the derived parts
	bytes     int64
}

// A region is where a part lies: from an offset on, one sequence's bytes after another's, all as many.
type region struct {
	Part
	at, each int64
}

// of is where the part of the sequence in a row begins.
func (r region) of(row int) int64 { return r.at + int64(row)*r.each }

// size is the bytes that one sequence's part has.
func (r region) size() int64 { return 4 * int64(r.Rows) * int64(r.Cols) }

// sharedRows is what the rows of a shared part are rounded up to among several sequences, so that every
// one's begins where it can be bound.
const sharedRows = 64

func newLayout(parts []Part, sequences int) *layout {
	l := &layout{sequences: sequences}
	for _, derived := range []bool{false, true} {
		for _, p := range parts {
			switch {
			case p.Derived != derived:
			case p.Grows:
				l.growing = append(l.growing, p)
			default:
				l.place(p)
			}
		}
		if !derived {
			l.saved = l.bytes
		}
	}
	return l
}

func (l *layout) place(p Part) {
	r := region{Part: p, at: l.bytes}
	rows := p.Rows
	if p.Layer == Shared && l.sequences > 1 {
		rows = (rows + sharedRows - 1) / sharedRows * sharedRows
	}
	r.each = 4 * int64(rows) * int64(p.Cols)
	l.fixed = append(l.fixed, r)
	l.bytes = graph.Align(r.of(l.sequences))
}

// find returns the region of a part.
func (l *layout) find(layer int, name string) (region, error) {
	for _, r := range l.fixed {
		if r.Layer == layer && r.Name == name {
			return r, nil
		}
	}
	return region{}, fmt.Errorf("there is no part %s of layer %d in a state of fixed size", name, layer)
}

// tokenBytes is what a token adds to the growing parts of one sequence.
func (l *layout) tokenBytes() (total int64) {
	for _, p := range l.growing {
		total += p.tokenBytes()
	}
	return total
}

// tokenBytes is what a token adds to a growing part.
func (p Part) tokenBytes() int64 { return 4 * int64(p.Rows) * int64(p.Cols) }
