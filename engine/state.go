package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/vk"
)

// A State is everything one sequence carries: the parts that its network names, the position, and the last
// token's logits. Parts of fixed size lie in one buffer; each growing part has one of its own.
type State struct {
	model    *Model
	buffer   *vk.Buffer // nil where no part is of fixed size
	grown    grown
	position int64
	logits   []float32 // of the last token, nil before any; see underway
	recent   []int32   // the last tokens fed, for the repeat penalty
	sum      Digest    // of all tokens fed
	next     []int32   // a token that was generated and not fed yet, or none
	timings  Timings
	recorded map[*graph.Program]*graph.Recording // nil when closed
	onWindow func(window int64) error
	failed   error // of the device, after which the sequence is undefined
	lane     *lane // whose state it is, or nil
}

// Timings are how long the tokens of a state took so far.
type Timings struct {
	PromptTokens    int
	GeneratedTokens int // after the first, whose logits are the prompt's
	Prompt          time.Duration
	Generate        time.Duration
}

// Timings returns the state's timings.
func (s *State) Timings() Timings {
	if s.absent() {
		return Timings{}
	}
	return s.timings
}

// recentTokens is how many of its last tokens a state remembers.
const recentTokens = 4096

// NewState returns the state of an empty sequence. Close gives it back.
func (m *Model) NewState() (*State, error) {
	if m.absent() {
		return nil, errModelClosed
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.newState()
}

func (m *Model) newState() (*State, error) {
	if m.closed {
		return nil, errModelClosed
	}
	s := &State{model: m, recorded: map[*graph.Program]*graph.Recording{}}
	m.states++
	var err error
	if m.layout.bytes > 0 {
		s.buffer, err = m.device.NewBuffer(m.layout.bytes, vk.DeviceLocal)
	}
	if err == nil {
		s.grown = newGrown(m.layout.growing)
		err = s.reserve(1)
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("state: %w", err)
	}
	return s, nil
}

// Close frees the state. It waits for a call that uses the model.
func (s *State) Close() {
	if s.absent() {
		return
	}
	s.model.mu.Lock()
	defer s.model.mu.Unlock()
	s.close()
}

func (s *State) close() {
	if s.recorded == nil {
		return
	}
	if s.model.underway.state == s {
		s.model.underway = underway{} // closing the recordings waits for it
	}
	s.closeRecordings()
	s.recorded = nil
	if s.buffer != nil {
		s.buffer.Close()
	}
	s.grown.close()
	s.buffer, s.grown = nil, nil
	s.model.states--
}

func (s *State) closeRecordings() {
	for _, r := range s.recorded {
		r.Close()
	}
	clear(s.recorded)
}

// Position is how many tokens the sequence has, with one that Generate yielded last.
func (s *State) Position() int64 {
	if s.absent() {
		return 0
	}
	return s.position + int64(len(s.next))
}

// Recent returns the last tokens of the sequence, oldest first: n of them, or as many as there are and the
// state remembers, 4096.
func (s *State) Recent(n int) []int32 {
	if s.absent() {
		return nil
	}
	all := slices.Concat(s.recent, s.next)
	return all[max(0, len(all)-n):]
}

// Digest stands for all tokens of the sequence: states of a model with the same one have had the same tokens.
func (s *State) Digest() Digest {
	if s.absent() {
		return Digest{}
	}
	return s.sum.Then(s.next...)
}

// Bytes is the state's size on the device. Growing parts count as many tokens as they have room for.
func (s *State) Bytes() int64 {
	if s.absent() {
		return 0
	}
	bytes := s.grown.bytes()
	if s.buffer != nil {
		bytes += s.buffer.Size()
	}
	return bytes
}

// Logits returns those after the last token that was fed, [vocab], valid until the state's next call;
// nil before the first. They are brought from the device only when somebody asks.
func (s *State) Logits() ([]float32, error) {
	if s.absent() {
		return nil, errStateClosed
	}
	s.model.mu.Lock()
	defer s.model.mu.Unlock()
	return s.model.logits(s)
}

func (m *Model) logits(s *State) ([]float32, error) {
	if err := m.ready(s); err != nil {
		return nil, err
	}
	return s.logits, nil
}

// OnWindow has f called at the first token of every window of a network that has windows, after what is due
// there. f may look at the state; an error of it ends the call that feeds the token.
func (s *State) OnWindow(f func(window int64) error) {
	if !s.absent() {
		s.onWindow = f
	}
}

// Download returns a part of the state as it is on the device, 32-bit numbers in little-endian order: of a
// growing one the rows of all tokens that were fed.
func (s *State) Download(layer int, name string) ([]byte, error) {
	if s.absent() {
		return nil, errStateClosed
	}
	m := s.model
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ready(s); err != nil {
		return nil, err
	}
	if p := s.grown.find(layer, name); p != nil {
		return s.downloadRows(p)
	}
	r, err := m.layout.find(layer, name)
	if err != nil || r.size() == 0 {
		return nil, err
	}
	return s.download(r.at, r.size())
}

func (s *State) download(from, size int64) ([]byte, error) {
	data := make([]byte, size)
	if size == 0 {
		return data, nil
	}
	return data, s.model.device.Download(data, s.buffer.Span(from, size))
}

// downloadRows returns a growing part's rows of all tokens.
func (s *State) downloadRows(p *growingPart) ([]byte, error) {
	rows := make([]byte, s.position*p.tokenBytes())
	if len(rows) == 0 {
		return rows, nil
	}
	return rows, s.model.device.Download(rows, p.of(s.position))
}

// Model is the model that the state belongs to.
func (s *State) Model() *Model {
	if s.absent() {
		return nil
	}
	return s.model
}

// Reset makes the state that of an empty sequence, also after a call that failed.
func (s *State) Reset() error {
	if s.absent() {
		return errStateClosed
	}
	m := s.model
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ready(s); err != nil && s.failed == nil {
		return err
	}
	return s.reset()
}

// reset makes the state that of an empty sequence.
func (s *State) reset() error {
	s.position, s.logits, s.recent, s.next, s.sum, s.timings = 0, nil, nil, nil, Digest{}, Timings{}
	if s.buffer != nil { // nobody looks behind the position in a growing part
		err := s.model.device.Upload(s.buffer.Whole(), 4, func(p []byte, _ int64) error {
			clear(p)
			return nil
		})
		if err != nil {
			return s.fail(err)
		}
	}
	s.failed = nil
	return nil
}

// Clone branches the sequence: a second state that goes on from here by itself.
func (s *State) Clone() (*State, error) {
	if s.absent() {
		return nil, errStateClosed
	}
	m := s.model
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ready(s); err != nil {
		return nil, err
	}
	clone, err := m.newState()
	if err != nil {
		return nil, err
	}
	if err := clone.copyOf(s); err != nil {
		clone.close()
		return nil, err
	}
	return clone, nil
}

// copyOf makes s what another sequence is, of which nothing is under way.
func (s *State) copyOf(from *State) error {
	if err := s.reserve(from.position); err != nil {
		return err
	}
	pairs := s.grown.pairs(from.grown, from.position)
	if s.buffer != nil {
		pairs = append(pairs, [2]vk.Span{s.buffer.Whole(), from.buffer.Whole()})
	}
	if err := s.model.copy(pairs...); err != nil {
		return s.fail(err)
	}
	s.position, s.logits = from.position, slices.Clone(from.logits)
	s.recent, s.next, s.sum = slices.Clone(from.recent), slices.Clone(from.next), from.sum
	return nil
}

// copy copies spans, to the first of each pair from the second, and waits for its end.
func (m *Model) copy(pairs ...[2]vk.Span) error {
	if len(pairs) == 0 {
		return nil
	}
	c, err := m.device.NewCommands()
	if err != nil {
		return err
	}
	defer c.Close()
	for _, p := range pairs {
		c.Copy(p[0], p[1])
	}
	if err := c.End(); err != nil {
		return err
	}
	pending, err := m.device.Submit(c)
	if err != nil {
		return err
	}
	return pending.Wait()
}

// recording returns a program bound to this state.
func (s *State) recording(program *graph.Program) (*graph.Recording, error) {
	if r, ok := s.recorded[program]; ok {
		return r, nil
	}
	r, err := program.Record(s.spans())
	if err != nil {
		return nil, err
	}
	s.recorded[program] = r
	return r, nil
}

// run runs a program on this state, after before unless that is nil, and waits for its end.
func (s *State) run(program *graph.Program, before *graph.Recording) error {
	r, err := s.recording(program) // to the memory there is now, which may have grown
	if err != nil {
		return err
	}
	return graph.Run(before, r.At(s.position))
}

// spans are where programs find the state and what they share.
func (s *State) spans() graph.Spans {
	own := map[string]vk.Span{}
	s.ownSpans(own)
	return graph.Spans{Arena: s.model.arena.Whole(), Slots: s.model.programs.slots(own)}
}

// ownSpans adds where the parts of the state are.
func (s *State) ownSpans(to map[string]vk.Span) {
	if s.buffer != nil {
		to[stateSlot] = s.buffer.Whole()
	}
	s.grown.slots(to, 0)
}
