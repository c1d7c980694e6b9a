package mmrun

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/sample"
	"github.com/mmrun/mmrun/tokenizer"
)

// GenerateOptions say how a text is continued.
type GenerateOptions struct {
	MaxTokens int                   // at the most; 0 only reads the prompt
	Sample    sample.Options        // how the next token is chosen; the zero value takes the likeliest
	Stop      []string              // texts before which the text ends
	StopIDs   []int32               // tokens that end the text; those of the model's config when nil
	Progress  func(done, total int) // called while the prompt is read, in tokens; may be nil
}

// A Session is a sequence of text with everything that the model carries of it.
type Session struct {
	model *Model
	state *engine.State
	last  *Text  // of the last Generate
	held  string // of a text that the caller left: in the sequence, not yielded yet
}

// NewSession returns an empty sequence. Close gives it back.
func (m *Model) NewSession() (*Session, error) {
	if m == nil {
		return nil, errClosed
	}
	state, err := m.NewState()
	if err != nil {
		return nil, err
	}
	return &Session{model: m, state: state}, nil
}

// Generate appends a prompt to the sequence and yields its continuation in pieces of text, each of whole
// characters, as soon as it is certain. The prompt may be empty where the sequence has text already: a character
// that the last text's end has cut is then yielded whole. What was yielded belongs to the sequence; of a stop
// string the tokens do, too, its text is not yielded. When ctx ends, so does the text, with the context's error
// after what was held back: the sequence stands after the last token. A caller who leaves the range may leave text that
// was held back to see whether a stop string begins with it: Held has it, and the next text begins with it if its
// prompt is empty.
func (s *Session) Generate(ctx context.Context, prompt string, o GenerateOptions) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := s.generate(ctx, prompt, o, yield); err != nil {
			yield("", err)
		}
	}
}

func (s *Session) generate(ctx context.Context, prompt string, o GenerateOptions, yield func(string, error) bool) error {
	if s.absent() {
		return errClosed
	}
	held := s.held
	s.last = nil
	if slices.Contains(o.Stop, "") {
		return fmt.Errorf("a stop string is empty")
	}
	ids, err := s.encode(prompt)
	if err != nil {
		return err
	}
	options := engine.GenerateOptions{MaxTokens: o.MaxTokens, Sample: o.Sample, Stop: o.StopIDs, Progress: o.Progress}
	options.Sample.Vocab = s.model.tokenizer.VocabSize() // rows beyond it are padding
	var recent []int32
	if prompt == "" {
		recent = s.state.Recent(unfinishedTokens)
	}
	text := NewText(s.model.tokenizer, o.Stop, recent...)
	s.last, s.held = text, ""
	defer func() { s.held = text.held }() // of which nothing is left at an end
	if prompt == "" {
		if piece := text.begin(held); piece != "" && !yield(piece, nil) || text.Finish != "" {
			return nil
		}
	}
	var failed error
	for id, err := range s.model.Generate(ctx, s.state, ids, options) {
		if failed = err; err != nil {
			break
		}
		if piece := text.Add(id); piece != "" && !yield(piece, nil) {
			return nil
		}
		if text.Finish != "" {
			break
		}
	}
	interrupted := failed != nil && errors.Is(failed, ctx.Err())
	if failed != nil && !interrupted {
		return failed
	}
	if piece := text.End(o.MaxTokens, interrupted, true); piece != "" && !yield(piece, nil) {
		return nil
	}
	return failed
}

// encode turns a prompt into tokens. An empty one is none where the sequence has text.
func (s *Session) encode(prompt string) ([]int32, error) {
	if prompt != "" {
		// A text that goes on has no beginning, and one that is to go on has no end.
		return s.model.tokenizer.EncodeWith(prompt, tokenizer.Options{Continues: s.state.Position() > 0, NoEnd: true})
	}
	if s.state.Position() == 0 {
		return nil, ErrEmptyPrompt
	}
	return nil, nil
}

// Finish is how the text of the last Generate ended, empty before its end.
func (s *Session) Finish() Finish {
	if s == nil {
		return ""
	}
	if s.last == nil {
		return ""
	}
	return s.last.Finish
}

// Held is text of the sequence that was not yielded because the caller left the last Generate while it was held back.
func (s *Session) Held() string {
	if s == nil {
		return ""
	}
	return s.held
}

// Position is how many tokens the sequence has.
func (s *Session) Position() int64 { return s.State().Position() }

// State is the sequence as the model's methods take it that work on tokens.
func (s *Session) State() *engine.State {
	if s == nil {
		return nil
	}
	return s.state
}

// Timings are how long the sequence's tokens took so far.
func (s *Session) Timings() engine.Timings { return s.State().Timings() }

// Fork branches the sequence: a second one that goes on from here by itself.
func (s *Session) Fork() (*Session, error) {
	if s.absent() {
		return nil, errClosed
	}
	state, err := s.state.Clone()
	if err != nil {
		return nil, err
	}
	return &Session{model: s.model, state: state, held: s.held}, nil
}

// Reset makes the sequence empty.
func (s *Session) Reset() error {
	if s.absent() {
		return errClosed
	}
	s.last, s.held = nil, ""
	return s.state.Reset()
}

// MarshalBinary returns the sequence as a file of its own, from which it goes on as if it had never been
// interrupted. What Held returns is not in it.
func (s *Session) MarshalBinary() ([]byte, error) { return s.State().MarshalBinary() }

// UnmarshalBinary makes the sequence that of a saved one. What is no state of this model, was cut short or altered,
// is refused and changes nothing.
func (s *Session) UnmarshalBinary(data []byte) error {
	if s.absent() {
		return errClosed
	}
	err := s.state.UnmarshalBinary(data)
	if err == nil {
		s.last, s.held = nil, ""
	}
	return err
}

// Close frees the sequence.
func (s *Session) Close() { s.State().Close() }

var errClosed = fmt.Errorf("the session is %w", ErrClosed)

// absent says that a session is nil, or of no model.
func (s *Session) absent() bool { return s == nil || s.model == nil || s.state == nil }
