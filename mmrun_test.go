package mmrun_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/checkpoint/safetensors"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/refmodel"
	"github.com/mmrun/mmrun/models"
)

const prompt = "It was a dark night, and"

// golden are a text of the bundled model and how PyTorch goes on after its first 32 tokens.
func golden(t *testing.T) (tokens, greedy []int32) {
	t.Helper()
	f, err := safetensors.Open(filepath.Join(bundledDir, "golden.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, into := range map[string]*[]int32{"tokens": &tokens, "greedy": &greedy} {
		tensor, ok := f.Tensor(name)
		if !ok {
			t.Fatalf("the golden has no %s", name)
		}
		if *into, err = tensor.Int32s(); err != nil {
			t.Fatal(err)
		}
	}
	return tokens[:32], greedy
}

// TestTextIsPyTorchs: text in and text out is what PyTorch makes of the text's tokens.
func TestTextIsPyTorchs(t *testing.T) {
	m := bundled(t)
	tokens, greedy := golden(t)
	s, text := session(t, m), ""
	options := mmrun.GenerateOptions{MaxTokens: len(greedy), StopIDs: []int32{}}
	read := 0
	options.Progress = func(done, total int) {
		if read = done; total != len(tokens) {
			t.Errorf("%d of %d tokens read, there are %d", done, total, len(tokens))
		}
	}
	for piece, err := range s.Generate(t.Context(), m.Tokenizer().Decode(tokens), options) {
		if err != nil {
			t.Fatal(err)
		}
		if piece == "" || !utf8.ValidString(piece) {
			t.Errorf("piece %q", piece)
		}
		text += piece
	}
	if want := m.Tokenizer().Decode(greedy); text != want {
		t.Errorf("got %q, want %q", text, want)
	}
	if s.Finish() != mmrun.FinishLength || s.Position() != int64(len(tokens)+len(greedy)) || read != len(tokens) {
		t.Errorf("finish %q, %d tokens, of the prompt %d", s.Finish(), s.Position(), read)
	}
	if spent := s.Timings(); spent.PromptTokens != len(tokens) || spent.GeneratedTokens != len(greedy)-1 || spent.Prompt <= 0 || spent.Generate <= 0 {
		t.Errorf("timings %+v", spent)
	}
}

// TestOpenFS: a model within the program is the one in its directory.
func TestOpenFS(t *testing.T) {
	fsys := os.DirFS(bundledDir)
	m, err := mmrun.OpenFS("within", fsys, mmrun.Options{Chunk: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.Name() != "within" || bundled(t).Name() != bundledDir || models.Bundled != filepath.Base(bundledDir) {
		t.Errorf("names %q and %q", m.Name(), bundled(t).Name())
	}
	s, err := m.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, want := write(t, s, prompt, warm(30, 1)), alone(t, bundled(t), prompt, warm(30, 1)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	saved, again := save(t, s), session(t, bundled(t))
	if err := again.UnmarshalBinary(saved); err != nil {
		t.Errorf("a state of the same model: %v", err)
	}
}

// TestStopStrings: the text ends before the first of them, and the sequence after it.
func TestStopStrings(t *testing.T) {
	m := bundled(t)
	whole := alone(t, m, prompt, warm(60, 3))
	first, later := whole[20:24], whole[30:36]
	s, options := session(t, m), warm(60, 3)
	options.Stop = []string{later, "\x01", first}
	before, after, _ := strings.Cut(whole, first)
	if got := write(t, s, prompt, options); got != before || s.Finish() != mmrun.FinishStop {
		t.Errorf("%q (%s), want %q", got, s.Finish(), before)
	}
	if want := int64(len(prompt) + len(before) + len(first)); s.Position() != want {
		t.Errorf("the sequence has %d tokens, want %d", s.Position(), want)
	}
	if got := write(t, s, "", warm(len(after), 3)); got != after || s.Finish() != mmrun.FinishLength {
		t.Errorf("goes on with %q (%s), want %q", got, s.Finish(), after)
	}
	if text, err := collect(t.Context(), s, "x", mmrun.GenerateOptions{MaxTokens: 3, Stop: []string{"a", ""}}); err == nil || s.Finish() != "" {
		t.Errorf("an empty stop string: %q, finish %q", text, s.Finish())
	}
}

// TestStopIDs: the model's own token ends a text, or those of the caller.
func TestStopIDs(t *testing.T) {
	m := bundled(t)
	if eos := m.Sizes().EOS; len(eos) != 1 || eos[0] != 256 {
		t.Fatalf("eos %v", eos)
	}
	whole, s := alone(t, m, prompt, warm(60, 3)), session(t, m)
	options := warm(60, 3)
	options.StopIDs = []int32{int32(whole[17]), 256}
	before, _, _ := strings.Cut(whole, whole[17:18])
	if got := write(t, s, prompt, options); got != before || s.Finish() != mmrun.FinishEOS || s.Position() != int64(len(prompt)+len(before)) {
		t.Errorf("%q (%s) after %d tokens, want %q", got, s.Finish(), s.Position(), before)
	}
}

// TestForkGoesOnByItself: neither branch knows of the other.
func TestForkGoesOnByItself(t *testing.T) {
	for kind := range kinds {
		m := open(t, modelDir(t, kind, 1))
		whole := alone(t, m, prompt, warm(80, 5))
		s := session(t, m)
		first := write(t, s, prompt, warm(37, 5))
		f, err := s.Fork()
		if err != nil {
			t.Fatal(err)
		}
		if f.Finish() != "" || f.Position() != s.Position() {
			t.Errorf("%s: a fork has finish %q and %d tokens, want %d", kind, f.Finish(), f.Position(), s.Position())
		}
		branch := write(t, f, " but then", warm(40, 6))
		if rest := write(t, s, "", warm(43, 5)); first+rest != whole {
			t.Errorf("%s: %q, want %q", kind, first+rest, whole)
		}
		s.Close()
		more := write(t, f, "", warm(20, 6))
		f.Close()
		same := session(t, m)
		write(t, same, prompt, warm(37, 5))
		if want := write(t, same, " but then", warm(60, 6)); branch+more != want {
			t.Errorf("%s: the branch writes %q, want %q", kind, branch+more, want)
		}
	}
}

// TestSavedGoesOn: a session that is saved and loaded writes what one writes that was never interrupted, at every
// kind of place, in the middle of a character too, and is the same in the end to the byte.
func TestSavedGoesOn(t *testing.T) {
	const tokens = 50
	for kind := range kinds {
		m := open(t, modelDir(t, kind, 1))
		s := session(t, m)
		whole := write(t, s, prompt, warm(tokens, 9))
		if kind == refmodel.MemMamba && strings.IndexFunc(whole, func(r rune) bool { return r > 127 }) < 0 {
			t.Errorf("%q has no character of several bytes", whole)
		}
		end := save(t, s)
		for _, n := range []int{0, 1, 7, 8, 9, 23, 24, 25, 26, 27} { // the prompt has 24 tokens, a window 16
			first, second := session(t, m), session(t, m)
			text := write(t, first, prompt, warm(n, 9))
			if err := second.UnmarshalBinary(save(t, first)); err != nil {
				t.Fatal(err)
			}
			if text += write(t, second, "", warm(tokens-n, 9)); text != whole {
				t.Errorf("%s saved after %d tokens: %q, want %q", kind, n, text, whole)
			}
			if !bytes.Equal(save(t, second), end) {
				t.Errorf("%s saved after %d tokens: another state in the end", kind, n)
			}
		}
	}
}

// TestResetIsNew: a session that was made empty writes what a new one writes.
func TestResetIsNew(t *testing.T) {
	m := bundled(t)
	s := session(t, m)
	write(t, s, "Something else", warm(30, 1))
	if err := s.Reset(); err != nil || s.Position() != 0 || s.Finish() != "" {
		t.Fatalf("%v, %d tokens, finish %q", err, s.Position(), s.Finish())
	}
	if got, want := write(t, s, prompt, warm(30, 2)), alone(t, m, prompt, warm(30, 2)); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A countdown is a context that ends when it was looked at so often.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestContextEndsText: what was held back when the context ends is yielded before its error, and the sequence goes
// on from there.
func TestContextEndsText(t *testing.T) {
	m := bundled(t)
	whole := alone(t, m, prompt, warm(60, 4))
	s, options, text := session(t, m), warm(60, 4), ""
	options.Stop = []string{whole[20:50] + "\x01"} // the text is held back from 20 bytes on
	var failed error
	longest := 0
	for piece, err := range s.Generate(&countdown{t.Context(), 40}, prompt, options) {
		longest = max(longest, len(piece))
		if text += piece; err != nil {
			failed = err
		}
	}
	if !errors.Is(failed, context.Canceled) || s.Finish() != mmrun.FinishInterrupted || longest < 10 {
		t.Fatalf("error %v, finish %q, pieces of up to %d bytes", failed, s.Finish(), longest)
	}
	if done := int(s.Position()) - len(prompt); len(text) != done || !strings.HasPrefix(whole, text) {
		t.Errorf("%q after %d tokens, want the beginning of %q", text, done, whole)
	}
	if text += write(t, s, "", warm(len(whole)-len(text), 4)); text != whole {
		t.Errorf("went on to %q, want %q", text, whole)
	}
	if text, err := collect(&countdown{t.Context(), 0}, session(t, m), prompt, warm(3, 1)); !errors.Is(err, context.Canceled) || text != "" {
		t.Errorf("a context that has ended: %q, %v", text, err)
	}
}

// TestCallerEndsText: a caller that wants no more loses nothing of what was yielded.
func TestCallerEndsText(t *testing.T) {
	m := bundled(t)
	whole, s, text := alone(t, m, prompt, warm(40, 4)), session(t, m), ""
	for piece, err := range s.Generate(t.Context(), prompt, warm(40, 4)) {
		if err != nil {
			t.Fatal(err)
		}
		if text += piece; len(text) >= 11 {
			break
		}
	}
	if text += write(t, s, "", warm(40-len(text), 4)); text != whole {
		t.Errorf("%q, want %q", text, whole)
	}
}

// TestCallerLeavesHeldText: what was held back for a stop string when a caller left belongs to the next text without a
// prompt, of the session or of its fork, and may be a stop string of that.
func TestCallerLeavesHeldText(t *testing.T) {
	m := bundled(t)
	whole, s, text, options := alone(t, m, prompt, warm(40, 4)), session(t, m), "", warm(40, 4)
	options.Stop = []string{whole[10:12] + "\x01", whole[12:13] + "\x01"} // with byte 12 the two before it are certain, and it is not
	for piece, err := range s.Generate(t.Context(), prompt, options) {
		if err != nil {
			t.Fatal(err)
		}
		if text += piece; len(text) >= 12 {
			break
		}
	}
	held, n := s.Held(), int(s.Position())-len(prompt)
	if held == "" || text+held != whole[:n] {
		t.Fatalf("%q and held back %q, want %q", text, held, whole[:n])
	}
	f, err := s.Fork()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	options.Stop = []string{held}
	if got := write(t, f, "", options); got != "" || f.Finish() != mmrun.FinishStop || f.Held() != "" || f.Position() != s.Position() {
		t.Errorf("with what was held back as a stop string: %q, %s, %d tokens", got, f.Finish(), f.Position())
	}
	if text += write(t, s, "", warm(40-n, 4)); text != whole || s.Held() != "" {
		t.Errorf("%q and %q, want %q", text, s.Held(), whole)
	}
}

// TestTokensAndText: a session is a state, too, and a model takes tokens.
func TestTokensAndText(t *testing.T) {
	m := bundled(t)
	ids, err := m.Tokenizer().Encode(prompt)
	if err != nil {
		t.Fatal(err)
	}
	s := session(t, m)
	var tokens []int32
	for id, err := range m.Generate(t.Context(), s.State(), ids, engine.GenerateOptions{MaxTokens: 20}) {
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, id)
	}
	if got, want := alone(t, m, prompt, mmrun.GenerateOptions{MaxTokens: 20}), m.Tokenizer().Decode(tokens); got != want {
		t.Errorf("%q, tokens say %q", got, want)
	}
}

// TestOpenGGUF: a GGUF file is a model with its tokenizer.
func TestOpenGGUF(t *testing.T) {
	path := filepath.Join("testdata", "gguf", "mamba-f16.gguf")
	m, err := mmrun.Open(path, mmrun.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ids, err := m.Tokenizer().Encode("the end")
	if err != nil || m.Tokenizer().Decode(ids) != "the end" || m.Sizes().Vocab != 300 {
		t.Errorf("%s: %v of %d (%v)", m.Name(), ids, m.Sizes().Vocab, err)
	}
	if _, err := mmrun.Open(filepath.Join("cmd", "mmrun", "testdata", "cases", "gguf-types-gone", "t4.gguf"), mmrun.Options{}); !errors.Is(err, mmrun.ErrRefused) {
		t.Errorf("a file that cannot be used: %v", err)
	}
}
