package memmamba

import (
	"cmp"
	"fmt"

	"github.com/mmrun/mmrun/internal/q8"
	"github.com/mmrun/mmrun/internal/safetensors"
	"github.com/mmrun/mmrun/ops"
)

// A piece is one tensor of a stack: its name and the sections of its rows.
type piece struct {
	name     string
	sections []int
}

// weight loads a matrix [sum of sections, cols], each section of rows padded.
func (l *loader) weight(name string, sections []int, cols int) ops.Weight {
	return l.stack(cols, piece{name, sections})
}

// stack loads several matrices of the same width below one another. In a quantized model they are
// Q8_0 on the device; else they keep their type when they share it and become F32 when not.
func (l *loader) stack(cols int, pieces ...piece) ops.Weight {
	return l.place(l.matrix(cols, pieces...))
}

// matrix finds what is to be stacked.
func (l *loader) matrix(cols int, pieces ...piece) matrix {
	m := matrix{cols: cols}
	for _, p := range pieces {
		m.add(l, p)
	}
	return m
}

// alike makes matrices that a kernel meets together F32 unless they share a type.
func alike(all []matrix) {
	for _, m := range all {
		if m.device != all[0].device {
			for i := range all {
				all[i].device = ops.F32
			}
			return
		}
	}
}

// place gives a matrix its place on the device, and leaves filling it for later.
func (l *loader) place(m matrix) ops.Weight {
	if l.err != nil {
		return ops.Weight{}
	}
	cols, w := m.cols, ops.Weight{Type: m.device, Rows: m.high, Cols: ops.Padded(m.cols), Panels: true}
	bytes := w.Type.PanelBytes(w.Cols)
	w.Span = l.allocate(int64(bytes) * int64(w.Rows/ops.PanelRows))
	l.later = append(l.later, func() {
		rows, room := m.rows(), newPanelRoom(cols)
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
	device ops.Type
	cols   int
	high   int // rows with padding
	parts  []part
}

// A part of a matrix is a tensor and, when that is quantized in the file, its scales.
type part struct {
	tensor, scales safetensors.Tensor
	sections       []int
}

// add finds a piece's tensors.
func (m *matrix) add(l *loader, p piece) {
	one := part{tensor: l.tensor(p.name, sum(p.sections), m.cols), sections: p.sections}
	device := deviceType(one.tensor.DType)
	if l.quantized && q8.Holds(p.name) {
		device = ops.Q8
	}
	if l.stored && q8.Holds(p.name) && l.err == nil {
		var err error
		one.scales, err = q8.ScalesOf(l.tensors, one.tensor)
		l.fail(err)
	}
	if m.parts != nil && device != m.device {
		device = ops.F32
	}
	m.device = device
	m.parts = append(m.parts, one)
	for _, n := range p.sections {
		m.high += ops.Padded(n)
	}
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

// panelRoom has the room for the rows of one panel while their type changes.
type panelRoom struct {
	cols      int
	quantized [ops.PanelRows]*q8.Row
	wide      []float32
	data      [ops.PanelRows][]byte
}

func newPanelRoom(cols int) *panelRoom { return &panelRoom{cols: cols} }

// pack fills a panel of a type with rows.
func (r *panelRoom) pack(panel []byte, to ops.Type, rows []row) error {
	var data, scales [ops.PanelRows][]byte
	for i, one := range rows {
		if one.part == nil {
			continue
		}
		var err error
		if data[i], scales[i], err = r.convert(i, to, one); err != nil {
			return fmt.Errorf("tensor %s: %w", one.tensor.Name, err)
		}
	}
	to.Pack(panel, data[:])
	if to == ops.Q8 {
		ops.PackScales(panel, scales[:])
	}
	return nil
}

// convert returns the numbers of a row, and the scales of a quantized one. They are good until it is
// called for the same place again.
func (r *panelRoom) convert(place int, to ops.Type, one row) (data, scales []byte, err error) {
	t, n := one.tensor, r.cols*one.tensor.DType.Size()
	data = t.Data[one.index*n : (one.index+1)*n]
	switch {
	case t.DType == safetensors.I8:
		n := 2 * q8.Scales(r.cols)
		scales = one.scales.Data[one.index*n : (one.index+1)*n]
		return data, scales, q8.CheckScales(scales)
	case to == ops.Q8:
		if r.quantized[place] == nil {
			r.quantized[place] = q8.NewRow(r.cols)
		}
		return r.quantized[place].Quantize(t, one.index)
	case to == deviceType(t.DType):
		return data, nil, nil
	}
	if r.wide == nil {
		r.wide = make([]float32, r.cols)
	}
	if err = t.DType.Widen(r.wide, data); err == nil {
		r.data[place], err = safetensors.F32.Narrow(r.data[place][:0], r.wide)
	}
	return r.data[place], nil, err
}

func deviceType(d safetensors.DType) ops.Type {
	switch d {
	case safetensors.F16:
		return ops.F16
	case safetensors.BF16:
		return ops.BF16
	}
	return ops.F32
}
