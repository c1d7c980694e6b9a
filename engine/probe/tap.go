package probe

import (
	"context"
	"errors"
	"fmt"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/quant"
	"github.com/mmrun/mmrun/vk"
)

// ErrNothing says that a network shows nothing of itself.
var ErrNothing = errors.New("the model has no state space to look into")

// A Layer is what one layer worked with, by the names that its network gives: x (T, d), the normalized
// input before what a memory recalls; u (T, E), what goes into the state space; delta, the time steps Δ, (T, E) of
// Mamba and (T, H) of Mamba-2; and B, what u is written to the state with, (T, N) and (T, G·N) with N padded.
type Layer map[string][]float32

// tapTokens is how many tokens are tapped in one go: few, since all layers' values are kept.
const tapTokens = 64

const tapsSlot = "taps"

// A Tapper hands over what every layer of a model works with. Close gives it back.
type Tapper struct {
	model   *engine.Model
	program *graph.Program
	taps    *engine.Taps
	tokens  int
	slot    *vk.Buffer
	arena   *vk.Buffer
	data    []byte
}

// NewTapper makes a Tapper for a model. The error is ErrNothing for networks that show nothing of themselves.
func NewTapper(m *engine.Model) (*Tapper, error) {
	t := &Tapper{model: m, tokens: min(tapTokens, m.Chunk())}
	err := m.Inside(func(in engine.Inside) (err error) {
		if t.program, t.taps, err = in.Tapped(t.tokens, tapsSlot); err != nil {
			return err
		}
		if len(t.taps.Kept) == 0 {
			return ErrNothing
		}
		if t.slot, err = in.Device().NewBuffer(t.taps.Bytes, vk.DeviceLocal); err != nil {
			return fmt.Errorf("taps: %w", err)
		}
		if t.arena, err = in.Device().NewBuffer(max(t.program.Arena(), 256), vk.DeviceLocal); err != nil {
			return fmt.Errorf("taps: %w", err)
		}
		t.data = make([]byte, t.taps.Bytes)
		return nil
	})
	if err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// Close frees the tapper's memory.
func (t *Tapper) Close() {
	for _, b := range []*vk.Buffer{t.slot, t.arena} {
		if b != nil {
			b.Close()
		}
	}
	t.slot, t.arena = nil, nil
}

// Forward feeds tokens to a sequence that Generate did not yield to and hands over what every
// layer worked with. each is called with the index of the first of some tokens, never of two windows,
// and their taps, layer by layer, valid during the call. It may not call the model.
func (t *Tapper) Forward(ctx context.Context, s *engine.State, tokens []int32, each func(first int, layers []Layer) error) error {
	return t.model.Inside(func(in engine.Inside) error {
		all, err := in.Tokens(s, tokens)
		if err != nil {
			return err
		}
		if len(all) != len(tokens) {
			return errors.New("the state waits for the token that was generated last")
		}
		spans := in.Spans(s)
		spans.Arena, spans.Slots[tapsSlot] = t.arena.Whole(), t.slot.Whole()
		r, err := t.program.Record(spans)
		if err != nil {
			return err
		}
		defer r.Close()
		for done := 0; done < len(tokens); {
			n := in.WindowTokens(s, min(t.tokens, len(tokens)-done))
			err := in.Feed(ctx, s, tokens[done:done+n], engine.Way{
				Program: func(int) (*graph.Program, error) { return t.program, nil },
				Run:     func(_ *graph.Program, before *graph.Recording) error { return graph.Run(before, r) },
			})
			if err == nil {
				err = t.hand(in, n, func(layers []Layer) error { return each(done, layers) })
			}
			if err != nil {
				return err
			}
			if done += n; done == len(tokens) {
				return in.Finish(s, n)
			}
		}
		return nil
	})
}

// hand brings what n tokens left in the slot to the host.
func (t *Tapper) hand(in engine.Inside, n int, each func(layers []Layer) error) error {
	if err := in.Device().Download(t.data, t.slot.Whole()); err != nil {
		return err
	}
	layers := make([]Layer, t.taps.Kept[len(t.taps.Kept)-1].Layer+1)
	for _, k := range t.taps.Kept {
		if layers[k.Layer] == nil {
			layers[k.Layer] = Layer{}
		}
		numbers := make([]float32, n*k.Width)
		for row := range n {
			at := k.From + 4*int64(row*k.Stride)
			if err := quant.F32.Dequantize(numbers[row*k.Width:(row+1)*k.Width], t.data[at:at+4*int64(k.Width)]); err != nil {
				return err
			}
		}
		layers[k.Layer][k.Name] = numbers
	}
	return each(layers)
}
