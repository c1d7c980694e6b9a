package engine

import (
	"cmp"
	"fmt"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/quant"
)

// A Piece is one tensor of a stack: its name and the sections of its rows.
type Piece struct {
	Name     string
	Sections []int
}

// Matrix loads a matrix [sum of sections, cols], each section of rows padded.
func (l *Loader) Matrix(name string, sections []int, cols int) ops.Weight {
	return l.Stack(cols, Piece{name, sections})
}

// Stack loads several matrices of the same width below one another. They keep their format when they share
// it and become F32 when not.
func (l *Loader) Stack(cols int, pieces ...Piece) ops.Weight {
	return l.place(l.matrix(cols, pieces...))
}

// Alike loads matrices that a kernel meets together: they are F32 unless they share a format.
func (l *Loader) Alike(cols int, pieces ...Piece) []ops.Weight {
	var all []matrix
	for _, p := range pieces {
		all = append(all, l.matrix(cols, p))
	}
	share := all[0].device
	for _, m := range all {
		if m.device != share {
			share = ops.F32
		}
	}
	var weights []ops.Weight
	for _, m := range all {
		m.device = share
		weights = append(weights, l.place(m))
	}
	return weights
}

// matrix finds what is to be stacked.
func (l *Loader) matrix(cols int, pieces ...Piece) matrix {
	m := matrix{cols: cols}
	for _, p := range pieces {
		m.add(l, p)
	}
	return m
}

// place gives a matrix its place on the device, and leaves filling it for later.
func (l *Loader) place(m matrix) ops.Weight {
	if l.err != nil || l.device == nil {
		return ops.Weight{}
	}
	w := ops.Weight{Type: m.device, Rows: m.high, Cols: ops.Padded(m.cols), Panels: true}
	bytes := w.Type.PanelBytes(w.Cols)
	w.Span = l.allocate(int64(bytes) * int64(w.Rows/ops.PanelRows))
	l.later = append(l.later, func() {
		rows, room := m.rows(), new(panelRoom)
		err := l.upload(w, bytes, func(p []byte, i int) error {
			return room.pack(p, w.Type, rows[i*ops.PanelRows:(i+1)*ops.PanelRows])
		})
		if err != nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.failed = cmp.Or(l.failed, err)
		}
	})
	return w
}

// A matrix is what becomes one weight on the device.
type matrix struct {
	device *quant.Format
	cols   int
	high   int // rows with padding
	parts  []part
}

// A part of a matrix is a tensor.
type part struct {
	tensor   checkpoint.Tensor
	sections []int
}

// add finds a piece's tensor.
func (m *matrix) add(l *Loader, p Piece) {
	one := part{tensor: l.tensor(p.Name, Matrix, sum(p.Sections), m.cols), sections: p.Sections}
	device := l.formatOf(one.tensor)
	if m.parts != nil && device != m.device {
		device = ops.F32
	}
	m.device = device
	m.parts = append(m.parts, one)
	for _, n := range p.Sections {
		m.high += ops.Padded(n)
	}
}

// formatOf is the format in which the device is to hold a matrix.
func (l *Loader) formatOf(t checkpoint.Tensor) *quant.Format {
	switch {
	case l.to != nil:
		_, cols := t.Grid()
		return l.to.For(cols)
	case t.Format == nil: // which is an error already
		return nil
	}
	return t.Format.OnDevice()
}

// A row of a matrix is one of a part's tensor, or of padding.
type row struct {
	*part // nil for padding
	index int
}

func (m *matrix) rows() []row {
	rows := make([]row, 0, m.high)
	for i := range m.parts {
		index := 0
		for _, n := range m.parts[i].sections {
			for range n {
				rows = append(rows, row{&m.parts[i], index})
				index++
			}
			rows = append(rows, make([]row, ops.Padded(n)-n)...)
		}
	}
	return rows
}

// panelRoom has the room for the rows of one panel.
type panelRoom [ops.PanelRows]checkpoint.Reader

// pack fills a panel of a format with rows.
func (r *panelRoom) pack(panel []byte, to *quant.Format, rows []row) error {
	var data [ops.PanelRows][]byte
	for i, one := range rows {
		if one.part == nil {
			continue
		}
		var err error
		if data[i], err = r[i].Row(one.tensor, one.index, to); err != nil {
			return Refused(fmt.Errorf("tensor %s: %w", one.tensor.Name, err))
		}
	}
	to.Pack(panel, data[:])
	return nil
}
