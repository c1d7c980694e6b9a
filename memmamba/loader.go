package memmamba

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/mmrun/mmrun/internal/safetensors"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/vk"
)

// A place is where weights go: a device, or for tests one that only compiles.
type place interface {
	NewBuffer(size int64, where vk.Memory) (*vk.Buffer, error)
	Upload(dst vk.Span, align int64, fill func(p []byte, off int64) error) error
}

// A loader moves tensors from a mapped file to the device. Every section of rows and every width
// is padded with zeros to a multiple of ops.Pad. The first error is kept. Matrices get their place
// at once and are filled later, by all processors, while programs are built for them.
type loader struct {
	device   place
	tensors  *safetensors.Model
	buffers  []*vk.Buffer
	later    []func() // what fills the matrices
	progress func(done, total int64)
	total    int64
	err      error // until fill

	mu     sync.Mutex // guards what follows
	done   int64
	failed error
}

func (l *loader) fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

// fill starts what was left for later. The function it returns waits for the end of it.
func (l *loader) fill() (wait func() error) {
	jobs := make(chan func(), len(l.later))
	for _, job := range l.later {
		jobs <- job
	}
	close(jobs)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for job := range jobs {
				job()
			}
		})
	}
	return func() error {
		workers.Wait()
		if l.failed == nil {
			l.advance(l.total)
		}
		return l.failed
	}
}

// tensor finds a tensor of floating point numbers with a shape.
func (l *loader) tensor(name string, shape ...int) safetensors.Tensor {
	t, ok := l.tensors.Tensor(name)
	switch {
	case !ok:
		l.fail(fmt.Errorf("tensor %s is missing", name))
	case !slices.Equal(t.Shape, shape):
		l.fail(fmt.Errorf("tensor %s: shape %v, the config asks for %v", name, t.Shape, shape))
	case t.DType != safetensors.F32 && t.DType != safetensors.F16 && t.DType != safetensors.BF16:
		l.fail(fmt.Errorf("tensor %s: type %s (F32, F16 and BF16 are supported)", name, t.DType))
	}
	return t
}

// allocate makes a device buffer that the model owns.
func (l *loader) allocate(size int64) vk.Span {
	b, err := l.device.NewBuffer(size, vk.DeviceLocal)
	if err != nil {
		l.fail(fmt.Errorf("weights: %w", err))
		return vk.Span{}
	}
	l.buffers = append(l.buffers, b)
	return b.Span(0, size)
}

// weight loads a matrix [sum of sections, cols] as it is in the file, each section of rows padded.
func (l *loader) weight(name string, sections []int, cols int) ops.Weight {
	return l.stack([]piece{{name: name, sections: sections}}, cols)
}

// A piece is one tensor of a stack: its name and the sections of its rows, none when the tensor is
// a vector that makes one row.
type piece struct {
	name     string
	sections []int
}

func (p piece) shape(cols int) []int {
	if p.sections == nil {
		return []int{cols}
	}
	return []int{sum(p.sections), cols}
}

// rows are the sections, of which a vector has one of one row.
func (p piece) rows() []int {
	if p.sections == nil {
		return []int{1}
	}
	return p.sections
}

// stack loads several matrices of the same width below one another. They keep their type when they
// share it and become F32 otherwise.
func (l *loader) stack(pieces []piece, cols int) ops.Weight {
	var dtype safetensors.DType
	high := 0
	tensors := make([]safetensors.Tensor, len(pieces))
	for i, p := range pieces {
		if tensors[i] = l.tensor(p.name, p.shape(cols)...); l.err != nil {
			return ops.Weight{}
		}
		if i > 0 && tensors[i].DType != dtype {
			dtype = safetensors.F32
		} else {
			dtype = tensors[i].DType
		}
		for _, n := range p.rows() {
			high += ops.Padded(n)
		}
	}
	return l.uploadPanels(high, ops.Padded(cols), deviceType(dtype), func() ([][]byte, error) {
		var rows [][]byte
		for i, p := range pieces {
			data, err := rowsOf(tensors[i], cols, dtype)
			if err != nil {
				return nil, err
			}
			for _, n := range p.rows() {
				rows = append(rows, data[:n]...)
				rows = append(rows, make([][]byte, ops.Padded(n)-n)...)
				data = data[n:]
			}
		}
		return rows, nil
	})
}

// rowsOf cuts a tensor's bytes into rows, widening it first if dtype is not its own.
func rowsOf(t safetensors.Tensor, cols int, dtype safetensors.DType) ([][]byte, error) {
	data := t.Data
	if t.DType != dtype {
		wide, err := t.Float32s()
		if err != nil {
			return nil, err
		}
		if data, err = dtype.Narrow(nil, wide); err != nil {
			return nil, err
		}
	}
	return slices.Collect(slices.Chunk(data, cols*dtype.Size())), nil
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

// uploadPanels puts a matrix of so many rows on the device in panels, later; a nil row of source is zero.
func (l *loader) uploadPanels(rows, cols int, t ops.Type, source func() ([][]byte, error)) ops.Weight {
	w := ops.Weight{Type: t, Rows: rows, Cols: cols, Panels: true}
	bytes := t.PanelBytes(cols)
	w.Span = l.allocate(int64(bytes) * int64(rows/ops.PanelRows))
	l.later = append(l.later, func() {
		rows, err := source()
		if err == nil {
			err = l.upload(w, bytes, func(p []byte, i int) { ops.Pack(p, rows[i*ops.PanelRows:(i+1)*ops.PanelRows]) })
		}
		if err != nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.failed = cmp.Or(l.failed, err)
		}
	})
	return w
}

// upload fills a weight piece by piece: fill writes piece i of a size in bytes.
func (l *loader) upload(w ops.Weight, size int, fill func(p []byte, i int)) error {
	return l.device.Upload(w.Span, int64(size), func(p []byte, at int64) error {
		for from := 0; from < len(p); from += size {
			fill(p[from:from+size], (int(at)+from)/size)
		}
		l.advance(int64(len(p)))
		return nil
	})
}

// vector loads a tensor of n numbers as F32.
func (l *loader) vector(name string, n int) ops.Weight {
	return l.upload32(l.row(name, n), 1, ops.Padded(n))
}

// row reads a tensor of n numbers, widened and padded.
func (l *loader) row(name string, n int) []float32 {
	return l.widen(l.tensor(name, n), 1, n, 1)
}

// table reads a small tensor of rows × cols numbers, widened, both padded. Its shape may have more
// axes of size 1.
func (l *loader) table(name string, rows, cols int, shape ...int) []float32 {
	return l.widen(l.tensor(name, shape...), rows, cols, ops.Padded(rows))
}

// widen reads rows × cols numbers into rows of padded width, high of them; they are all 0 after an
// error, so that callers need no check of their own.
func (l *loader) widen(t safetensors.Tensor, rows, cols, high int) []float32 {
	wide := make([]float32, high*ops.Padded(cols))
	if l.err != nil {
		return wide
	}
	data, err := t.Float32s()
	if err != nil {
		l.fail(err)
		return wide
	}
	for r := range rows {
		copy(wide[r*ops.Padded(cols):], data[r*cols:(r+1)*cols])
	}
	return wide
}

// upload32 puts numbers computed on the host on the device.
func (l *loader) upload32(numbers []float32, rows, cols int) ops.Weight {
	if l.err != nil {
		return ops.Weight{}
	}
	data, err := safetensors.F32.Narrow(nil, numbers)
	if err != nil {
		l.fail(err)
		return ops.Weight{}
	}
	w := ops.Weight{Type: ops.F32, Rows: rows, Cols: cols, Span: l.allocate(int64(len(data)))}
	if l.err == nil {
		l.fail(l.upload(w, 4*cols, func(p []byte, i int) { copy(p, data[i*4*cols:]) }))
	}
	return w
}

func (l *loader) advance(bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done += bytes
	if l.progress != nil {
		l.progress(min(l.done, l.total), l.total)
	}
}

func sum(numbers []int) int {
	total := 0
	for _, n := range numbers {
		total += n
	}
	return total
}
