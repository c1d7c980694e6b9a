// Package mmrun runs state-space language models on any GPU with a Vulkan driver, or on the CPU by a software
// driver: Mamba, FalconMamba and MemMamba, and Transformers of GPT-NeoX's kind to compare with. Text goes in and
// text comes out; whoever wants tokens, logits or batches finds them in the Model as well.
//
//	m, err := mmrun.Open("models/mamba-130m-hf", mmrun.Options{})
//	...
//	defer m.Close()
//	s, err := m.NewSession()
//	...
//	defer s.Close()
//	for text, err := range s.Generate(ctx, "It was a dark night", mmrun.GenerateOptions{MaxTokens: 100}) {
//		...
//	}
//
// A Session is a sequence of text. It goes on where it ended, can be saved, loaded and forked, and its state has a
// constant size however long it gets, except for a Transformer's.
//
// Several goroutines may use one Model: their calls wait for one another. Each Session is of use to one goroutine at
// a time. Errors to test for with errors.Is are listed with ErrClosed; those of the device are ErrNoDevice,
// ErrOutOfMemory and ErrDeviceLost.
package mmrun

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/mmrun/mmrun/checkpoint"
	_ "github.com/mmrun/mmrun/checkpoint/gguf"        // a kind of files
	_ "github.com/mmrun/mmrun/checkpoint/pytorch"     // another
	_ "github.com/mmrun/mmrun/checkpoint/safetensors" // another
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/grammar"
	_ "github.com/mmrun/mmrun/memmamba" // the architectures
	"github.com/mmrun/mmrun/tokenizer"
	"github.com/mmrun/mmrun/vk"
)

// Options say how a model is opened: the device, how many tokens of a prompt run at once, whether its matrices are
// quantized while they load. The zero value takes the best device and the weights as they are.
type Options = engine.Options

// Errors to test for with errors.Is.
var (
	ErrClosed      = engine.ErrClosed      // the model, session or batch is closed
	ErrEmptyPrompt = engine.ErrEmptyPrompt // there is nothing to continue
	ErrTooLong     = engine.ErrTooLong     // the sequence is longer than the model takes
	ErrOtherModel  = engine.ErrOtherModel  // a state of another model
	ErrRefused     = engine.ErrRefused     // a file that cannot be used: a model's, or a saved state
	ErrFailed      = engine.ErrFailed      // a call failed on the device: reset or load the session
	ErrNoDevice    = vk.ErrNoDevice        // there is no Vulkan device, or none of that name
	ErrNoLoader    = vk.ErrNoLoader        // there is no Vulkan loader on this machine
	ErrOutOfMemory = vk.ErrOutOfMemory     // the device's memory does not do
	ErrDeviceLost  = vk.ErrDeviceLost      // only Close is of use now
)

// A Model is a checkpoint on a device with its tokenizer.
type Model struct {
	*engine.Model
	name      string
	tokenizer *tokenizer.Tokenizer

	vocabularyOnce sync.Once
	vocabulary     *grammar.Vocabulary
}

// Open opens the model at a path: a directory with config.json, tokenizer.json and model.safetensors, whole or in
// shards, or a GGUF file or a directory with one. A file that cannot be used is ErrRefused; what is not there is fs.ErrNotExist.
func Open(path string, o Options) (*Model, error) {
	src, err := checkpoint.Open(path)
	if err != nil {
		return nil, refused(err)
	}
	return OpenSource(src, o)
}

// OpenFS opens a model in a file system, such as one embedded in the program; name stands for it in errors.
func OpenFS(name string, fsys fs.FS, o Options) (*Model, error) {
	src, err := checkpoint.OpenFS(name, fsys)
	if err != nil {
		return nil, refused(err)
	}
	return OpenSource(src, o)
}

// OpenSource opens the model of a source, which it closes.
func OpenSource(src checkpoint.Source, o Options) (*Model, error) {
	m := &Model{name: src.Name()}
	// A large vocabulary takes as long to read as a device to open.
	read := make(chan error, 1)
	go func() {
		var err error
		m.tokenizer, err = ReadTokenizer(src)
		read <- err
	}()
	var err error
	m.Model, err = engine.Open(src, o)
	if failed := <-read; failed != nil {
		err = failed
	}
	if err == nil {
		if vocab := m.Sizes().Vocab; m.tokenizer.VocabSize() > vocab {
			err = refused(fmt.Errorf("%s: %d tokens, the model has %d", src.Path("tokenizer.json"), m.tokenizer.VocabSize(), vocab))
		}
	}
	if closing := src.Close(); err == nil { // it tells of a file that was changed, and so does err
		err = closing
	}
	if err != nil {
		if m.Model != nil {
			err = errors.Join(err, m.Model.Close())
		}
		return nil, err
	}
	return m, nil
}

// ReadTokenizer reads the tokenizer of a model's files: tokenizer.json, or what older models have in its place, or
// the source's own where it has none of these files, as GGUF's.
func ReadTokenizer(src checkpoint.Source) (*tokenizer.Tokenizer, error) {
	if own, ok := checkpoint.As[interface {
		Tokenizer() (*tokenizer.Tokenizer, error)
	}](src); ok {
		t, err := own.Tokenizer()
		return t, refused(err)
	}
	t, err := tokenizer.Open(checkpoint.Files(src), src.Path)
	return t, refused(err)
}

// Name is the path or the name that the model was opened by.
func (m *Model) Name() string { return m.name }

// Tokenizer turns text into the model's tokens and back.
func (m *Model) Tokenizer() *tokenizer.Tokenizer { return m.tokenizer }

// refused makes an error ErrRefused, unless there is none or it is one of a file that is not there.
func refused(err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return engine.Refused(err)
}
