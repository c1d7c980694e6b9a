// Package engine runs any model on a Vulkan device: it loads weights, plans and records passes, feeds tokens,
// keeps what sequences carry, schedules many of them, saves and scores. What a model is, an Architecture says: it
// registers itself, gives its config, its tensors by role, the parts of a sequence's state and a block of
// layers; the engine knows none by name.
//
// Tokens are ids below the vocabulary's size; logits are [vocab] numbers, of which the highest is that of
// the most likely next token; sizes are in bytes.
//
// Several goroutines may use a Model, its states and schedulers: calls wait for one another. Each state is one
// sequence and of use to one goroutine at a time. Errors of a file name it and the field; errors to test for are
// listed with ErrClosed. Errors of the device are vk.ErrNoLoader, vk.ErrNoDevice, vk.ErrOutOfMemory (a
// *vk.OutOfMemoryError says how much was asked for) and vk.ErrDeviceLost, after which only Close is of use.
package engine

import (
	"cmp"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/quant"
	"github.com/mmrun/mmrun/vk"
)

// DefaultChunk is how many tokens of a prompt run in one pass unless Options say otherwise.
const DefaultChunk = 512

// MaxChunk bounds Options.Chunk.
const MaxChunk = 4096

// Options say how a model is opened.
type Options struct {
	Device   string                  // index, part of the name or UUID; the best when empty
	Disable  []vk.Path               // paths the device must not take
	Validate bool                    // run under the Vulkan validation layer; every message is an error
	Chunk    int                     // tokens of a prompt in one pass, 1 to MaxChunk; 0 is DefaultChunk
	Quantize string                  // format in which matrices are held, such as "q8_0"; as they are in the file when empty
	Progress func(done, total int64) // called while weights load, in bytes, one call at a time; may be nil
	Warn     func(line string)       // called when the model's files contradict themselves, or weights are widened; may be nil
}

// A Model is a checkpoint on a device. It may serve any number of states.
type Model struct {
	mu         sync.Mutex // held by every call
	closed     bool
	config     Config
	sizes      Sizes
	generation Generation
	window     int  // W of a network with windows, else 0
	across     bool // a pass may go through several
	device     *vk.Device
	loaded     *loaded
	network    Network
	layout     *layout
	programs   *programs
	arena      *vk.Buffer
	source     fingerprint
	quantize   string // how the matrices are quantized, or nothing
	states     int
	underway   underway
}

// MemoryUse is the device memory of a model, in bytes.
type MemoryUse struct {
	Weights     int64
	State       int64 // of one sequence when it is new
	StateToken  int64 // what a token adds to it: 0 unless parts of it grow, and in steps then
	Activations int64 // between kernels, and between host and device
	Allocated   int64 // all of the device memory that is allocated now
}

// open puts a model on the device, its matrices in a format unless that is nil.
func (m *Model) open(files *checkpoint.Tensors, to *quant.Format, o Options) error {
	if o.Chunk == 0 {
		o.Chunk = DefaultChunk
	}
	if o.Chunk < 1 || o.Chunk > MaxChunk {
		return fmt.Errorf("chunk of %d tokens is not within 1 to %d", o.Chunk, MaxChunk)
	}
	if m.sizes = m.config.Sizes(); m.sizes.MaxTokens == 0 {
		m.sizes.MaxTokens = maxPosition
	}
	m.sizes.EOS = joined(m.sizes.EOS, m.generation.EOS)
	m.layout = newLayout(m.config.Parts(), 1)
	source := make(chan error, 1)
	go func() {
		var err error
		m.source, err = newFingerprint(m, files)
		source <- err
	}()
	err := m.load(files, to, o)
	return cmp.Or(err, <-source)
}

// load fills the weights while the programs are built.
func (m *Model) load(files *checkpoint.Tensors, to *quant.Format, o Options) (err error) {
	m.network, m.loaded, err = loadWeights(m.device, files, m.config, to, o.Progress)
	if err != nil {
		return err
	}
	if windowed, ok := m.network.(Windowed); ok {
		m.window, m.across = windowed.Window()
	}
	err = m.build(o.Chunk, unified(m.device.Info()))
	return cmp.Or(err, m.loaded.wait())
}

// build plans the programs and allocates the arena they share.
func (m *Model) build(chunk int, unified bool) error {
	var err error
	if m.programs, err = newPrograms(m, chunk, unified); err != nil {
		return err
	}
	m.arena, err = m.device.NewBuffer(m.programs.arena(), vk.DeviceLocal)
	if err != nil {
		return fmt.Errorf("activations: %w", err)
	}
	return nil
}

// Config is the model's configuration, of the type that its architecture has.
func (m *Model) Config() Config {
	if m.absent() {
		return nil
	}
	return m.config
}

// Generation is what the model's maker says of how its texts are continued; its ends are among those of Sizes.
func (m *Model) Generation() Generation {
	if m.absent() {
		return Generation{}
	}
	return m.generation
}

// Sizes are those that every model has. EOS has the ends of config.json and of generation_config.json.
func (m *Model) Sizes() Sizes {
	if m.absent() {
		return Sizes{}
	}
	return m.sizes
}

// Quantization is how the matrices are quantized, such as "q8_0", or nothing: in the file or when loading.
func (m *Model) Quantization() string {
	if m.absent() {
		return ""
	}
	return m.quantize
}

// Device is the device the model runs on.
func (m *Model) Device() vk.Info {
	if m.absent() {
		return vk.Info{}
	}
	return m.device.Info()
}

// Fingerprint tells models apart: a state fits only the model of the fingerprint that it was made with.
func (m *Model) Fingerprint() [32]byte {
	if m.absent() {
		return [32]byte{}
	}
	return m.source
}

// Chunk is how many tokens of a prompt run in one pass at the most.
func (m *Model) Chunk() int {
	if m.absent() {
		return 0
	}
	return m.programs.chunkTokens
}

// CutTokens tells what the cutting of a prompt changes. Read in pieces of the given number of tokens or multiples of it, from
// where reading begins, it comes to the same, to the bit, as in one; 0 is that every cut may change how numbers
// round. With the same cuts all is always the same.
func (m *Model) CutTokens() int {
	if m.absent() {
		return 0
	}
	cuttable, ok := m.config.(Cuttable)
	if !ok || !m.device.Info().Software() {
		return 0
	}
	if n := cuttable.CutTokens(); n > 0 && (n == 1 || m.programs.passTokens%n == 0) {
		return n
	}
	return 0
}

// Longest is how long the longest submission to the device has taken, of those whose end was waited for: no driver of a GPU
// that draws the screen lets one take more than some seconds.
func (m *Model) Longest() time.Duration {
	if m.absent() {
		return 0
	}
	return m.device.Stats().Longest
}

// Memory is the device memory the model takes.
func (m *Model) Memory() MemoryUse {
	if m.absent() {
		return MemoryUse{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	token := m.layout.tokenBytes()
	return MemoryUse{
		Weights:     m.loaded.bytes(),
		State:       m.layout.bytes + token*room(1, m.sizes.MaxTokens),
		StateToken:  token,
		Activations: m.arena.Size() + m.programs.bytes(),
		Allocated:   m.device.Stats().DeviceBytes,
	}
}

// Close frees everything on the device, after a call that uses the model. States and schedulers of the model must be
// closed first. Later calls say ErrClosed.
func (m *Model) Close() error {
	if m == nil || m.device == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	var err error
	if m.states > 0 {
		err = fmt.Errorf("model closed with %d open states", m.states)
	}
	m.closed, m.underway = true, underway{} // what is under way, closing the recordings waits for
	if m.programs != nil {
		m.programs.close()
	}
	if m.arena != nil {
		m.arena.Close()
	}
	if m.loaded != nil {
		m.loaded.close()
	}
	return errors.Join(err, m.device.Close())
}
