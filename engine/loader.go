package engine

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

// A Role is what a tensor is to its network.
type Role int

// The roles.
const (
	Matrix Role = iota // of a linear layer, an embedding or a head: it may be quantized
	Small              // everything else, F32 on the device whatever it is in the file
)

// A Tensor is one that a network asks for.
type Tensor struct {
	Name  string
	Role  Role
	Shape []int
}

// Tensors are those that a model of a config has, in the order in which it asks for them.
func Tensors(c Config) ([]Tensor, error) {
	l := &Loader{}
	c.Load(l)
	return l.asked, l.err
}

// A place is where weights go: a device, or for tests one that only compiles.
type place interface {
	NewBuffer(size int64, where vk.Memory) (*vk.Buffer, error)
	Upload(dst vk.Span, align int64, fill func(p []byte, off int64) error) error
}

// A Loader moves tensors from a checkpoint to the device for a network that asks for them by role. Every
// section of rows and every width is padded with zeros to a multiple of ops.Pad. The first error is kept, and
// what is asked for after it is empty. Matrices get their place at once and are filled later, by all
// processors, while programs are built for them.
type Loader struct {
	device   place               // nil when tensors are only listed
	tensors  *checkpoint.Tensors // likewise
	to       *quant.Format       // of matrices on the device; nil when they stay as they are in the file
	asked    []Tensor
	buffers  []*vk.Buffer
	later    []func() // what fills the matrices
	progress func(done, total int64)
	total    int64
	placed   int64 // bytes on the device so far
	err      error // until fill

	mu     sync.Mutex // guards what follows
	done   int64
	failed error
}

// loaded is the memory that a model's weights take.
type loaded struct {
	buffers []*vk.Buffer
	wait    func() error // until all of them are filled
}

// loadWeights moves a checkpoint's tensors to the device. They have their places when it returns, but
// are not all there before wait has returned, until when the tensors must stay open.
func loadWeights(device place, tensors *checkpoint.Tensors, c Config, to *quant.Format, progress func(done, total int64)) (Network, *loaded, error) {
	l := &Loader{device: device, tensors: tensors, to: to, progress: progress}
	if err := l.count(c); err != nil {
		return nil, nil, err
	}
	network := c.Load(l)
	w := &loaded{buffers: l.buffers}
	if l.err != nil {
		w.close()
		return nil, nil, l.err
	}
	w.wait = l.fill()
	return network, w, nil
}

// count adds up what is to be loaded.
func (l *Loader) count(c Config) error {
	asked, err := Tensors(c)
	for _, a := range asked {
		t, ok := l.tensors.Tensor(a.Name)
		rows, cols := t.Grid()
		switch {
		case !ok: // which is told when it is asked for
		case a.Role == Matrix && t.Format != nil:
			l.total += int64(rows) * int64(l.formatOf(t).RowBytes(cols))
		default:
			l.total += t.Size
		}
	}
	return err
}

func (w *loaded) bytes() (total int64) {
	for _, b := range w.buffers {
		total += b.Size()
	}
	return total
}

// close frees the weights. No program that uses them may be running.
func (w *loaded) close() {
	for _, b := range w.buffers {
		b.Close()
	}
	w.buffers = nil
}

// Fail keeps err if it is the first.
func (l *Loader) Fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

// fill starts what was left for later. The function it returns waits for the end of it.
func (l *Loader) fill() (wait func() error) {
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

// tensor finds a tensor of weights with a role and a shape.
func (l *Loader) tensor(name string, role Role, shape ...int) checkpoint.Tensor {
	l.asked = append(l.asked, Tensor{name, role, slices.Clone(shape)})
	if l.tensors == nil {
		return checkpoint.Tensor{Name: name, Format: quant.F32, Shape: shape}
	}
	t, ok := l.tensors.Tensor(name)
	switch {
	case !ok:
		l.Fail(Refused(fmt.Errorf("tensor %s is missing", name)))
	case !slices.Equal(t.Shape, shape):
		l.Fail(Refused(fmt.Errorf("tensor %s: shape %v, the config asks for %v", name, t.Shape, shape)))
	case t.Format == nil:
		l.Fail(Refused(fmt.Errorf("tensor %s: type %s (F32, F16 and BF16 are supported)", name, t.Type)))
	}
	return t
}

// Weights on the device may be so many times as large as in their files, and so many bytes on top: padding makes narrow
// matrices wider.
const (
	mostWider   = 16
	freePadding = 64 << 20
)

// allocate makes a device buffer that the model owns.
func (l *Loader) allocate(size int64) vk.Span {
	if l.placed += size; l.placed > mostWider*l.total+freePadding {
		l.Fail(Refused(fmt.Errorf("weights of %d bytes would take more than %d on the device, where rows are padded: their shapes are not sound", l.total, l.placed)))
		return vk.Span{}
	}
	b, err := l.device.NewBuffer(size, vk.DeviceLocal)
	if err != nil {
		l.Fail(fmt.Errorf("weights: %w", err))
		return vk.Span{}
	}
	l.buffers = append(l.buffers, b)
	return b.Span(0, size)
}

// upload fills a weight piece by piece: fill writes piece i of a size in bytes.
func (l *Loader) upload(w ops.Weight, size int, fill func(p []byte, i int) error) error {
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

// Vector loads a tensor of n numbers as F32.
func (l *Loader) Vector(name string, n int) ops.Weight {
	return l.Put(l.Row(name, n), 1, ops.Padded(n))
}

// Row reads a tensor of n numbers, widened and padded.
func (l *Loader) Row(name string, n int) []float32 {
	return l.widen(l.tensor(name, Small, n), 1, n, 1)
}

// Table reads a small tensor of rows × cols numbers, widened, both padded. Its shape may have more
// axes of size 1.
func (l *Loader) Table(name string, rows, cols int, shape ...int) []float32 {
	return l.widen(l.tensor(name, Small, shape...), rows, cols, ops.Padded(rows))
}

// Sections loads a vector whose sections are each padded.
func (l *Loader) Sections(name string, sizes []int) ops.Weight {
	data := l.Row(name, sum(sizes))
	var wide []float32
	for _, n := range sizes {
		wide = append(append(wide, data[:n]...), make([]float32, ops.Padded(n)-n)...)
		data = data[n:]
	}
	return l.Put(wide, 1, len(wide))
}

// widen reads rows × cols numbers into rows of padded width, high of them; they are all 0 after an
// error, so that callers need no check of their own.
func (l *Loader) widen(t checkpoint.Tensor, rows, cols, high int) []float32 {
	wide := make([]float32, high*ops.Padded(cols))
	if l.err != nil || l.tensors == nil {
		return wide
	}
	data, err := t.Float32s()
	if err != nil {
		l.Fail(Refused(err))
		return wide
	}
	for r := range rows {
		copy(wide[r*ops.Padded(cols):], data[r*cols:(r+1)*cols])
	}
	return wide
}

// Put puts numbers computed on the host on the device.
func (l *Loader) Put(numbers []float32, rows, cols int) ops.Weight {
	if l.err != nil || l.device == nil {
		return ops.Weight{}
	}
	data := make([]byte, 4*len(numbers))
	if err := quant.F32.Quantize(data, numbers); err != nil {
		l.Fail(err)
		return ops.Weight{}
	}
	w := ops.Weight{Type: ops.F32, Rows: rows, Cols: cols, Span: l.allocate(int64(len(data)))}
	if l.err == nil {
		l.Fail(l.upload(w, 4*cols, func(p []byte, i int) error { copy(p, data[i*4*cols:]); return nil }))
	}
	return w
}

// advance tells how much is on the device of what has its place there.
func (l *Loader) advance(bytes int64) {
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
