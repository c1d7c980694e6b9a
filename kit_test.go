package mmrun_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/internal/refmodel"
	"github.com/mmrun/mmrun/sample"
)

// bundledDir is a trained model of bytes.
var bundledDir = filepath.Join("models", "novels-memmamba")

// shared holds models that many tests use, opened when the first one asks.
var shared = map[string]func() (*mmrun.Model, error){
	"bundled": sync.OnceValues(func() (*mmrun.Model, error) { return mmrun.Open(bundledDir, mmrun.Options{}) }),
}

func TestMain(m *testing.M) {
	if run := programs[os.Getenv(asProgram)]; run != nil {
		run()
		return
	}
	os.Exit(m.Run())
}

// bundled is the trained model, which lives as long as the tests.
func bundled(t *testing.T) *mmrun.Model {
	t.Helper()
	m, err := shared["bundled"]()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// kinds are random models of every architecture, and one with a vocabulary so large that the device chooses.
var kinds = map[string]func(dir string, seed uint64) error{
	refmodel.Mamba:       func(dir string, seed uint64) error { return writeMixer(dir, refmodel.Mamba, vocab, seed) },
	refmodel.FalconMamba: func(dir string, seed uint64) error { return writeMixer(dir, refmodel.FalconMamba, vocab, seed) },
	refmodel.MemMamba:    func(dir string, seed uint64) error { return writeMixer(dir, refmodel.MemMamba, vocab, seed) },
	largeVocab:           func(dir string, seed uint64) error { return writeMixer(dir, refmodel.MemMamba, 5*vocab, seed) },
	refmodel.GPTNeoX: func(dir string, seed uint64) error {
		c := refmodel.DefaultTransformer()
		c.Layers, c.Hidden, c.Heads, c.Vocab, c.Positions = 2, 32, 2, vocab, positions
		return refmodel.WriteRandomTransformer(dir, c, refmodel.Random{Seed: seed})
	},
}

const (
	largeVocab = "memmamba of words"
	vocab      = 257 // bytes, and one token that ends a text
	positions  = 300 // of the Transformer
	window     = 16  // of a MemMamba
)

func writeMixer(dir, kind string, vocab int, seed uint64) error {
	c := refmodel.Default(kind)
	c.Layers, c.Hidden, c.Vocab = 4, 32, vocab
	if c.Memory != nil {
		c.Window, c.Pool, c.Summary, c.Period = window, 9, 16, 2
	}
	return refmodel.WriteRandom(dir, c, refmodel.Random{Seed: seed})
}

// modelDir is a random model of a kind with a tokenizer of bytes, and of words for the rest of its vocabulary.
func modelDir(t *testing.T, kind string, seed uint64) string {
	t.Helper()
	dir := t.TempDir()
	var words []string
	if kind == largeVocab {
		for i := range 4 * vocab {
			words = append(words, fmt.Sprint(" word", i))
		}
	}
	err := errors.Join(kinds[kind](dir, seed), os.WriteFile(filepath.Join(dir, "tokenizer.json"), tokenizerFile(t, words...), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// tokenizerFile is the bundled model's, whose tokens are bytes, with tokens for some words.
func tokenizerFile(t *testing.T, words ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(bundledDir, "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(words) == 0 {
		return data
	}
	var file map[string]any
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for i, word := range words {
		file["added_tokens"] = append(file["added_tokens"].([]any), map[string]any{
			"id": vocab + i, "content": word, "special": false, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false})
	}
	if data, err = json.Marshal(file); err != nil {
		t.Fatal(err)
	}
	return data
}

// open opens a model until the test ends.
func open(t *testing.T, dir string) *mmrun.Model {
	t.Helper()
	m, err := mmrun.Open(dir, mmrun.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// session is an empty sequence until the test ends.
func session(t *testing.T, m *mmrun.Model) *mmrun.Session {
	t.Helper()
	s, err := m.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// warm are options that take less likely tokens, too, and never end a text early.
func warm(tokens int, seed uint64) mmrun.GenerateOptions {
	return mmrun.GenerateOptions{MaxTokens: tokens, Sample: sample.Options{Temperature: 1, TopK: 60, Seed: seed}, StopIDs: []int32{}}
}

// collect puts the pieces of a text together.
func collect(ctx context.Context, s *mmrun.Session, prompt string, o mmrun.GenerateOptions) (string, error) {
	var text strings.Builder
	for piece, err := range s.Generate(ctx, prompt, o) {
		if err != nil {
			return text.String(), err
		}
		text.WriteString(piece)
	}
	return text.String(), nil
}

// write is the text that a session writes.
func write(t *testing.T, s *mmrun.Session, prompt string, o mmrun.GenerateOptions) string {
	t.Helper()
	text, err := collect(t.Context(), s, prompt, o)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// alone is the text that a new session of a model writes.
func alone(t *testing.T, m *mmrun.Model, prompt string, o mmrun.GenerateOptions) string {
	t.Helper()
	s, err := m.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return write(t, s, prompt, o)
}

// save is a session as a file.
func save(t *testing.T, s *mmrun.Session) []byte {
	t.Helper()
	data, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(data)
}

// wantIs checks that an error is what a caller would test for.
func wantIs(t *testing.T, what string, err, is error) {
	t.Helper()
	if !errors.Is(err, is) {
		t.Errorf("%s: %v, want %v", what, err, is)
	}
	for _, other := range sentinels {
		if other != is && errors.Is(err, other) {
			t.Errorf("%s: %v is %v, too", what, err, other)
		}
	}
}

// sentinels are the errors that callers test for.
var sentinels = []error{
	mmrun.ErrClosed, mmrun.ErrEmptyPrompt, mmrun.ErrTooLong, mmrun.ErrOtherModel, mmrun.ErrRefused, mmrun.ErrFailed,
	mmrun.ErrNoDevice, mmrun.ErrNoLoader, mmrun.ErrOutOfMemory, mmrun.ErrDeviceLost, fs.ErrNotExist,
}
