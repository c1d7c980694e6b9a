// Package memmamba runs MemMamba (arXiv 2510.03279) and Mamba (arXiv 2312.00752) models on a Vulkan
// device. A model is built once into programs: one for a single token, one for a chunk of a prompt.
// A State is everything a sequence carries, of constant size however long it gets. To be compared with,
// Transformers of GPT-NeoX's kind (arXiv 2204.06745) run beside them; their states grow.
//
// Tokens are ids below the vocabulary's size; logits are [vocab] numbers, of which the highest is that of
// the most likely next token; sizes are in bytes.
//
// A Model and its states serve one call at a time; several models may be used at once. Errors of a file
// name it and the field. Errors of the device can be told apart with errors.Is: vk.ErrNoLoader,
// vk.ErrNoDevice, vk.ErrOutOfMemory (a *vk.OutOfMemoryError says how much was asked for) and vk.ErrDeviceLost,
// after which only Close is of use.
package memmamba

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"

	"github.com/mmrun/mmrun/checkpoint"
	_ "github.com/mmrun/mmrun/checkpoint/safetensors" // the kind of files that models come in
	"github.com/mmrun/mmrun/quant"
	"github.com/mmrun/mmrun/vk"
)

// DefaultChunk is how many tokens of a prompt run in one pass unless Options say otherwise.
const DefaultChunk = 512

// MaxChunk bounds Options.Chunk.
const MaxChunk = 4096

// Q8_0 is the one quantization there is: 32 weights share an F16 scale. The embeddings, the head and the
// linear layers are quantized; SSM parameters, norms, convolutions, biases, the memory's scorers, gates
// and its k_proj and v_proj are not.
const Q8_0 = "q8_0"

// Options say how a model is opened.
type Options struct {
	Device   string                  // index, part of the name or UUID; the best when empty
	Disable  []vk.Path               // paths the device must not take
	Validate bool                    // run under the Vulkan validation layer; every message is an error
	Chunk    int                     // tokens of a prompt in one pass, 1 to MaxChunk; 0 is DefaultChunk
	Quantize string                  // "q8_0" holds the matrices quantized, see Q8_0; as they are in the file when empty
	Progress func(done, total int64) // called while weights load, in bytes, one call at a time; may be nil
}

// A Model is a checkpoint on a device. It may serve any number of states, one call at a time.
type Model struct {
	config   Config
	device   *vk.Device
	weights  *weights
	programs *programs
	arena    *vk.Buffer
	source   fingerprint
	stored   *quant.Format // of quantized weights, in the file; nil when they are not
	quantize *quant.Format // when loading; nil when not
	states   int
	underway underway
}

// MemoryUse is the device memory of a model, in bytes.
type MemoryUse struct {
	Weights     int64
	State       int64 // of one sequence when it is new
	StateToken  int64 // what a token adds to it: 0 but for a Transformer, and in steps then
	Activations int64 // between kernels, and between host and device
	Allocated   int64 // all of the device memory that is allocated now
}

// Open loads the model in a directory: config.json and model.safetensors, or
// model.safetensors.index.json with its shards. The weights are read through a memory map.
func Open(dir string, o Options) (*Model, error) {
	src, err := checkpoint.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("model %w", err)
	}
	return open(src, o)
}

// OpenFS loads a model from a file system, such as one embedded in the program; name stands for it in
// errors.
func OpenFS(name string, fsys fs.FS, o Options) (*Model, error) {
	src, err := checkpoint.OpenFS(name, fsys)
	if err != nil {
		return nil, fmt.Errorf("model %w", err)
	}
	return open(src, o)
}

// open loads a model and closes where it came from.
func open(src checkpoint.Source, o Options) (_ *Model, err error) {
	defer src.Close()
	if o.Chunk == 0 {
		o.Chunk = DefaultChunk
	}
	if o.Chunk < 1 || o.Chunk > MaxChunk {
		return nil, fmt.Errorf("chunk of %d tokens is not within 1 to %d", o.Chunk, MaxChunk)
	}
	if o.Quantize != "" && o.Quantize != Q8_0 {
		return nil, fmt.Errorf("quantization %q is not known (%s is)", o.Quantize, Q8_0)
	}
	data, err := src.Config()
	if err != nil {
		return nil, err
	}
	config, err := ParseConfig(src.Path("config.json"), data)
	if err != nil {
		return nil, err
	}
	tensors, err := src.Tensors()
	if err != nil {
		return nil, err
	}
	device, err := vk.Open(vk.Options{Device: o.Device, Disable: o.Disable, Validate: o.Validate})
	if err != nil {
		return nil, err
	}
	m := &Model{config: config, device: device, stored: tensors.Quantized()}
	if m.stored == nil {
		m.quantize = quant.Lookup(o.Quantize)
	}
	told := make(chan error, 1)
	go func() {
		var err error
		m.source, err = newFingerprint(config, m.quantize, tensors)
		told <- err
	}()
	err = m.load(tensors, o)
	if err = cmp.Or(err, <-told); err != nil {
		return nil, errors.Join(fmt.Errorf("model %s: %w", src.Name(), err), m.Close())
	}
	return m, nil
}

// load fills the weights while the programs are built.
func (m *Model) load(tensors *checkpoint.Tensors, o Options) error {
	var err error
	if m.weights, err = loadWeights(m.device, tensors, m.config, m.quantize, o); err != nil {
		return err
	}
	err = m.build(o.Chunk, unified(m.Device()))
	return cmp.Or(err, m.weights.wait())
}

// unified says whether a device works in the host's memory.
func unified(info vk.Info) bool { return info.Type == vk.CPU || info.Type == vk.Integrated }

// build plans the programs and allocates the arena they share.
func (m *Model) build(chunk int, unified bool) error {
	var err error
	if m.programs, err = newPrograms(m, chunk, unified); err != nil {
		return err
	}
	m.arena, err = m.device.NewBuffer(max(m.programs.arena(), 256), vk.DeviceLocal)
	if err != nil {
		return fmt.Errorf("activations: %w", err)
	}
	return nil
}

// Config is the model's configuration.
func (m *Model) Config() Config { return m.config }

// Quantization is how the matrices are quantized, Q8_0 or nothing: in the file or when loading.
func (m *Model) Quantization() string {
	if f := cmp.Or(m.stored, m.quantize); f != nil {
		return f.Name
	}
	return ""
}

// Device is the device the model runs on.
func (m *Model) Device() vk.Info { return m.device.Info() }

// Chunk is how many tokens of a prompt run in one pass at the most.
func (m *Model) Chunk() int { return m.programs.chunkTokens }

// Memory is the device memory the model takes.
func (m *Model) Memory() MemoryUse {
	return MemoryUse{
		Weights:     m.weights.Bytes(),
		State:       m.config.newStateBytes(m.programs.layout),
		StateToken:  m.config.tokenBytes(),
		Activations: m.arena.Size() + m.programs.ioBytes(),
		Allocated:   m.device.Stats().DeviceBytes,
	}
}

// Close frees everything on the device. States of the model must be closed first.
func (m *Model) Close() error {
	var err error
	if m.states > 0 {
		err = fmt.Errorf("model closed with %d open states", m.states)
	}
	if m.programs != nil {
		m.programs.Close()
	}
	if m.arena != nil {
		m.arena.Close()
	}
	if m.weights != nil {
		m.weights.Close()
	}
	return errors.Join(err, m.device.Close())
}
