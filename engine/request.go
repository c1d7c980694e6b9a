package engine

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/mmrun/mmrun/sample"
)

// MaxLogProbs is the most tokens of which Request.LogProbs may ask to know the log-probability.
const MaxLogProbs = 20

// A Request is a text to continue, one of many that a Scheduler takes on together. What functions it has are
// called from the scheduler's goroutine: all others wait for them.
type Request struct {
	// From is what the text goes on from; nil is the beginning. It is copied when the request starts, and is
	// neither to be used nor closed before the stream's first token, its end, or one of the calls below.
	From *State

	// Saved is the same as a state's MarshalBinary returned it, instead of From.
	Saved []byte

	// Prompt are the tokens to read. There may be none where From or Saved has some.
	Prompt []int32

	// Options say how the text is continued; MaxTokens 0 only reads. Progress is called with the model's lock.
	Options GenerateOptions

	// LogProbs says how much is to be told of each token: with n ≥ 0 its log-probability and those of the n
	// most likely, MaxLogProbs at the most; nothing with -1.
	LogProbs int

	// ScorePrompt asks for the same of every token of the prompt but the first; with From or Saved, of that too.
	ScorePrompt bool

	// Checkpoints are after how many of the prompt's tokens Checkpoint is called, ascending, from 1 on. The prompt is
	// read in pieces that end there, as by several calls of Generate; see Model.CutTokens.
	Checkpoints []int

	// Every has Checkpoint called at every multiple of the given number of tokens of the sequence, too, in prompt and
	// answer, and the prompt cut there; 0 is never.
	Every int

	// Checkpoint is given the sequence as it stands, valid during the call: to be cloned, saved or looked at,
	// not to be fed. It may call the model, but not the scheduler's Close.
	Checkpoint func(s *State)

	// Until is called with every token but a stop token; true ends the text after it. It may not call the
	// model or wait. nil is never.
	Until func(token int32) bool

	// End is given, as Checkpoint is, the sequence after all tokens of a text that ended by itself, with the
	// last of them fed and without the stop token. It is called before the stream ends.
	End func(s *State)
}

// A Token is one of a text that a Scheduler continues.
type Token struct {
	ID      int32
	Stopped bool        // it is a stop token and does not belong to the text
	LogProb float32     // ln of its probability, as Request.LogProbs asks
	Top     []TokenProb // of the most likely, in descending order; of equals the lowest id first
}

// A TokenProb is a token and ln of the probability that the model gave it. It is the model's own: of all logits
// as they are, whatever the request's options make of them. Tokens beyond Options.Sample.Vocab are never listed.
type TokenProb struct {
	ID      int32
	LogProb float32
}

// checkRequest refuses a request that cannot be met, before anything is done.
func (m *Model) checkRequest(r *Request, saved *savedState) error {
	position, n := int64(0), len(r.Prompt)
	if s := r.From; s != nil {
		if s.model != m {
			return fmt.Errorf("the state is %w", ErrOtherModel)
		}
		position, n = s.position, n+len(s.next)
	}
	if saved != nil {
		position, n = saved.Position, n+len(saved.next)
	}
	switch {
	case r.From != nil && saved != nil:
		return fmt.Errorf("a request goes on from a state and from a saved one")
	case n == 0 && (position == 0 || r.Options.MaxTokens == 0 && r.End == nil):
		return ErrEmptyPrompt
	case position+int64(n) > m.sizes.MaxTokens:
		return &TooLongError{Tokens: position + int64(n), Most: m.sizes.MaxTokens}
	case r.Options.MaxTokens < 0:
		return fmt.Errorf("%d tokens to generate are negative", r.Options.MaxTokens)
	case r.LogProbs < -1 || r.LogProbs > MaxLogProbs:
		return fmt.Errorf("log-probabilities of the %d most likely tokens are not within 0 to %d", r.LogProbs, MaxLogProbs)
	case r.ScorePrompt && r.LogProbs < 0:
		return fmt.Errorf("a prompt is to be scored without log-probabilities")
	case r.Every < 0:
		return fmt.Errorf("a checkpoint every %d tokens is negative", r.Every)
	case r.Checkpoint == nil && (r.Every > 0 || len(r.Checkpoints) > 0):
		return fmt.Errorf("there are checkpoints and nobody to take them")
	}
	for i, at := range r.Checkpoints {
		if at < 1 || at > len(r.Prompt) || i > 0 && at <= r.Checkpoints[i-1] {
			return fmt.Errorf("checkpoint %d after %d of %d tokens is not within them and after the one before", i, at, len(r.Prompt))
		}
	}
	return m.checkIDs(r.Prompt)
}

// A Stream is what a Scheduler makes of one request, token by token. It keeps what nobody has taken yet, so that
// a reader who is slow holds up nobody. It is for one goroutine at a time.
type Stream struct {
	mu     sync.Mutex
	tokens []Token
	prompt []Token
	ended  bool
	err    error
	news   chan struct{} // of room for one

	timings Timings
	last    time.Time // when the request got a place, and then its last token; zero before
}

func newStream() *Stream { return &Stream{news: make(chan struct{}, 1)} }

// Next returns the next token, as soon as there is one. After the last, which may be a stop token, it returns
// io.EOF; when the request's context ended before, that context's error; ErrClosed when the scheduler was closed,
// and what went wrong on the device. When ctx ends, it returns its error and the token stays for the next call.
func (t *Stream) Next(ctx context.Context) (Token, error) {
	if t == nil {
		return Token{}, errSchedulerClosed
	}
	for {
		t.mu.Lock()
		if len(t.tokens) > 0 {
			one := t.tokens[0]
			t.tokens = t.tokens[1:]
			t.mu.Unlock()
			return one, nil
		}
		ended, err := t.ended, t.err
		t.mu.Unlock()
		if ended {
			return Token{}, err
		}
		select {
		case <-t.news:
		case <-ctx.Done():
			return Token{}, ctx.Err()
		}
	}
}

// Prompt returns the tokens of the prompt with their log-probabilities, as Request.ScorePrompt asks, once Next
// has returned: all but the first, which comes after nothing, unless there was a state to go on from.
func (t *Stream) Prompt() []Token {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.prompt)
}

// Timings are how long the request took so far since it got a place: its prompt up to the first token, and the
// tokens after that. All is zero while it is queued.
func (t *Stream) Timings() Timings {
	if t == nil {
		return Timings{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.timings
}

// begin notes that the request has a place, and how many tokens are read.
func (t *Stream) begin(tokens int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = time.Now()
	t.timings.PromptTokens = tokens
}

// put hands a token to the reader.
func (t *Stream) put(one Token) {
	t.mu.Lock()
	t.tokens = append(t.tokens, one)
	if t.timings.Prompt == 0 {
		t.timings.Prompt = lap(&t.last)
	} else {
		t.timings.Generate += lap(&t.last)
		t.timings.GeneratedTokens++
	}
	t.mu.Unlock()
	t.tell()
}

// end ends the stream, with io.EOF when all went well.
func (t *Stream) end(err error) {
	if err == nil {
		err = io.EOF
	}
	t.mu.Lock()
	if !t.ended {
		t.ended, t.err = true, err
		if t.timings.Prompt == 0 && !t.last.IsZero() { // nothing was generated
			t.timings.Prompt = lap(&t.last)
		}
	}
	t.mu.Unlock()
	t.tell()
}

func (t *Stream) tell() {
	select {
	case t.news <- struct{}{}:
	default:
	}
}

// A job is a request under way.
type job struct {
	*Request
	saved   *savedState // of Request.Saved
	ctx     context.Context
	forget  func() bool // ctx
	stream  *Stream
	sampler *sample.Sampler
	stops   []int32
	left    int // tokens to generate

	lane  *lane // while the prompt is read
	cuts  []int // tokens of the lane's after which a pass ends, ascending
	block int   // of the pass's rows of logits that are scored next
}

// end ends the request's stream.
func (j *job) end(err error) {
	j.forget()
	j.stream.end(err)
}

// over says whether nobody waits for the request any more.
func (j *job) over() bool { return j.ctx.Err() != nil }

// plan finds where the passes of what the lane is to read end: at checkpoints, and at the end.
func (j *job) plan() {
	n, from := len(j.lane.tokens), j.lane.state.position
	if len(j.Prompt) == 0 {
		j.cuts = []int{n}
	}
	for at := j.ahead() + 1; at <= n; at++ { // a token that was generated is not read by itself
		if at == n || j.shows(from+int64(at), at) {
			j.cuts = append(j.cuts, at)
		}
	}
}

// shows says whether Checkpoint is due at a position, after a number of the lane's tokens.
func (j *job) shows(position int64, at int) bool {
	if j.Every > 0 && position%int64(j.Every) == 0 {
		return true
	}
	_, ok := slices.BinarySearch(j.Checkpoints, at-j.ahead())
	return ok
}

// ahead is how many tokens the lane reads before the prompt.
func (j *job) ahead() int { return len(j.lane.tokens) - len(j.Prompt) }

// score tells the reader what the logits say of one of the lane's tokens, if there is one so far.
func (j *job) score(logits []float32, at int) {
	if at >= len(j.lane.tokens) || at < j.ahead() {
		return
	}
	one := Token{ID: j.lane.tokens[at]}
	one.LogProb, one.Top = logProbs(logits, one.ID, j.LogProbs, j.Options.Sample.Vocab)
	j.stream.mu.Lock()
	j.stream.prompt = append(j.stream.prompt, one)
	j.stream.mu.Unlock()
}
