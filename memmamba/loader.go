package memmamba

import (
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/quant"
	"github.com/mmrun/mmrun/vk"
)

// A place is where weights go: a device, or for tests one that only compiles.
type place interface {
	NewBuffer(size int64, where vk.Memory) (*vk.Buffer, error)
	Upload(dst vk.Span, align int64, fill func(p []byte, off int64) error) error
}

// A loader moves tensors from a checkpoint to the device. Every section of rows and every width
// is padded with zeros to a multiple of ops.Pad. The first error is kept. Matrices get their place
// at once and are filled later, by all processors, while programs are built for them.
type loader struct {
	device   place
	tensors  *checkpoint.Tensors
	to       *quant.Format // of matrices on the device; nil when they stay as they are in the file
	buffers  []*vk.Buffer
	later    []func() // what fills the matrices
	progress func(done, total int64)
	total    int64
	err      error // until fill

	mu     sync.Mutex // guards what follows
	done   int64
	failed error
}

func newLoader(device place, tensors *checkpoint.Tensors, to *quant.Format) *loader {
	l := &loader{device: device, tensors: tensors, to: to}
	for _, name := range tensors.Names() {
		t, _ := tensors.Tensor(name)
		if to := l.format(t); to != t.Format {
			rows, cols := t.Grid()
			l.total += int64(rows) * int64(to.RowBytes(cols))
			continue
		}
		l.total += t.Size
	}
	return l
}

// format is the format of a tensor on the device, if it is a matrix.
func (l *loader) format(t checkpoint.Tensor) *quant.Format {
	if l.to != nil && t.Format != nil && Quantizes(t.Name) {
		return l.to
	}
	return t.Format
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
func (l *loader) tensor(name string, shape ...int) checkpoint.Tensor {
	t, ok := l.tensors.Tensor(name)
	switch {
	case !ok:
		l.fail(fmt.Errorf("tensor %s is missing", name))
	case !slices.Equal(t.Shape, shape):
		l.fail(fmt.Errorf("tensor %s: shape %v, the config asks for %v", name, t.Shape, shape))
	case t.Format == nil:
		l.fail(fmt.Errorf("tensor %s: type %s (F32, F16 and BF16 are supported)", name, t.Type))
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

// upload fills a weight piece by piece: fill writes piece i of a size in bytes.
func (l *loader) upload(w ops.Weight, size int, fill func(p []byte, i int) error) error {
	return l.device.Upload(w.Span, int64(size), func(p []byte, at int64) error {
		for from := 0; from < len(p); from += size {
			if err := fill(p[from:from+size], (int(at)+from)/size); err != nil {
				return err
			}
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
func (l *loader) widen(t checkpoint.Tensor, rows, cols, high int) []float32 {
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
	data := make([]byte, 4*len(numbers))
	if err := quant.F32.Quantize(data, numbers); err != nil {
		l.fail(err)
		return ops.Weight{}
	}
	w := ops.Weight{Type: ops.F32, Rows: rows, Cols: cols, Span: l.allocate(int64(len(data)))}
	if l.err == nil {
		l.fail(l.upload(w, 4*cols, func(p []byte, i int) error { copy(p, data[i*4*cols:]); return nil }))
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
