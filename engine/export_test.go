package engine

import (
	"slices"
	"time"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/quant"
	"github.com/mmrun/mmrun/vk"
)

// What tests see of the inside.
const (
	ChooseFrom  = chooseFrom
	FirstTokens = firstTokens
	TokensStep  = tokensStep
)

// VK is the model's device, also once it is closed.
func (m *Model) VK() *vk.Device { return m.device }

// Weights are the buffers of the weights.
func (m *Model) Weights() []*vk.Buffer { return m.loaded.buffers }

// Begin is the program of what is due in a sequence whose window begins.
func (m *Model) Begin() *graph.Program { return m.programs.begin }

// Step and Choose are the programs of a token alone; Choose is nil where the host chooses.
func (m *Model) Step() *graph.Program   { return m.programs.step }
func (m *Model) Choose() *graph.Program { return m.programs.choose }

// PromptPass is the program for a pass of the given number of tokens, and for how many it was made.
func (m *Model) PromptPass(tokens int) (made int, program *graph.Program, err error) {
	program, err = m.prompt(tokens)
	for _, one := range m.programs.passes {
		if one.program == program {
			made = one.tokens
		}
	}
	return made, program, err
}

// Separate has a model go on as on a device with memory of its own: what the host writes and reads is then
// another buffer, copied to and from.
func (m *Model) Separate() error {
	chunk := m.Chunk()
	m.programs.close()
	m.arena.Close()
	m.programs, m.arena = nil, nil
	return m.build(chunk, false)
}

// Fetches says whether logits have to be brought to the host.
func (m *Model) Fetches() bool { return m.programs.fetch != nil }

// ChoiceBytes are what the host reads of a choice.
func (k *link) ChoiceBytes() int64  { return k.spans[choicesSlot+hostSide].Size }
func (m *Model) ChoiceBytes() int64 { return m.programs.ChoiceBytes() }
func (b *batch) ChoiceBytes() int64 { return b.link.ChoiceBytes() }

// Reserve makes room for the given number of tokens.
func (s *State) Reserve(tokens int64) error { return s.reserve(tokens) }

// CloseRecordings gives back what is bound to the state.
func (s *State) CloseRecordings() { s.closeRecordings() }

// StepOf plans a step of the given number of sequences.
func (b *batch) StepOf(rows int) (step, choose *graph.Program, err error) {
	s, err := b.plan(rows)
	if err != nil {
		return nil, nil, err
	}
	return s.programs[0], s.programs[1], nil
}

// Submitted is how many programs the last step sent to the device.
func (b *batch) Submitted() int { return len(b.submit) }

// BeginOf plans what is due in the given number of sequences whose windows begin.
func (b *batch) BeginOf(rows int) (*graph.Program, error) {
	one, err := b.planBegin(rows)
	return one.program, err
}

// Download is State.Download of a sequence in a batch.
func (b *Batch) Download(q *Sequence, layer int, name string) ([]byte, error) {
	if err := b.pending.Wait(); err != nil {
		return nil, err
	}
	if b.grown != nil {
		if p := b.grown[q.row].find(layer, name); p != nil {
			data := make([]byte, q.position*p.tokenBytes())
			return data, b.model.device.Download(data, p.of(q.position))
		}
	}
	r, err := b.layout.find(layer, name)
	if err != nil || r.size() == 0 {
		return nil, err
	}
	data := make([]byte, r.size())
	return data, b.model.device.Download(data, b.buffer.Span(r.of(q.row), r.size()))
}

// Logits are those after the last token that was fed to a sequence of a batch.
func (b *Batch) Logits(q *Sequence) ([]float32, error) {
	err := b.pending.Wait()
	if err == nil {
		err = b.fetch()
	}
	if err != nil {
		return nil, err
	}
	logits := make([]float32, b.model.sizes.Vocab)
	return logits, b.link.readLogits(logits, slices.Index(b.fed, q.sequence))
}

// nowhere is a place without memory.
type nowhere struct{}

func (nowhere) NewBuffer(int64, vk.Memory) (*vk.Buffer, error)               { return new(vk.Buffer), nil }
func (nowhere) Upload(vk.Span, int64, func(p []byte, off int64) error) error { return nil }

// Compile makes every program of a model for a device that cannot hold it, its matrices in a format unless
// that is nil, and the steps of batches of the given number of sequences.
func Compile(device *vk.Device, src checkpoint.Source, to *quant.Format, batches []int) (err error) {
	m := &Model{device: device}
	data, err := src.Config()
	if err != nil {
		return err
	}
	if m.config, err = ParseConfig(src.Path("config.json"), data); err != nil {
		return err
	}
	tensors, err := src.Tensors()
	if err != nil {
		return err
	}
	if m.network, m.loaded, err = loadWeights(nowhere{}, tensors, m.config, to, nil); err != nil {
		return err
	}
	if err := m.loaded.wait(); err != nil {
		return err
	}
	m.sizes, m.layout = m.config.Sizes(), newLayout(m.config.Parts(), 1)
	p := sizedPrograms(m, DefaultChunk, unified(device.Info()))
	m.programs = p
	err = p.plan(m)
	for _, one := range p.passes {
		if err == nil {
			_, err = m.plan(m.layout, one.tokens, p.buildPrompt)
		}
	}
	if err == nil {
		_, err = m.plan(m.layout, p.rowsBlock, func(pass *Pass) { p.buildScore(pass, m.sizes.Vocab) })
	}
	b := &batch{model: m, layout: newLayout(m.config.Parts(), MaxBatch), link: newLink(device, p.unified)}
	for _, rows := range batches {
		if err == nil {
			_, err = b.plan(rows)
		}
		if err == nil && p.begin != nil {
			_, err = b.planBegin(rows)
		}
	}
	return err
}

// SetPieceOfPass sets how short pieces of passes are and returns what undoes it. No scheduler may be there.
func SetPieceOfPass(d time.Duration) (undo func()) {
	before := pieceOfPass
	pieceOfPass = d
	return func() { pieceOfPass = before }
}

// Break has the scheduler's last device fail with an error.
func (s *Scheduler) Break(err error) {
	w := s.workers[len(s.workers)-1]
	w.model.mu.Lock()
	defer w.model.mu.Unlock()
	w.batch.fail(err)
}

// Shares are how many texts have a place with each worker.
func (s *Scheduler) Shares() (shares []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.workers {
		shares = append(shares, w.taking)
	}
	return shares
}
