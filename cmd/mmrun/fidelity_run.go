package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/internal/experiment/corpus"
	"github.com/mmrun/mmrun/internal/experiment/fidelity"
	"github.com/mmrun/mmrun/internal/experiment/stats"
	"github.com/mmrun/mmrun/memmamba"
)

// mostAlike bounds the tokens over which layers are compared.
const mostAlike = 512

// fidelityRun follows a text through one model.
type fidelityRun struct {
	*engine
	state  *memmamba.State
	layers []*fidelity.Layer
	inputs [][]float32    // of every layer, for the tokens over which layers are compared
	alike  map[int]bool   // their positions
	pools  []map[int]bool // of every layer, the tokens noted in it, if it is read in this window
	failed error
}

// measure adds a model to the report.
func (r *fidelityReport) measure(c *cli.Context, e *engine, encode corpus.Encoder) error {
	if e.Config().Transformer != nil {
		return fmt.Errorf("%s: a model of model_type %q has no state that fades", e.source.name, e.Config().ModelType)
	}
	ids, err := r.firstTokens(c, e, encode)
	if err != nil {
		return err
	}
	run, err := r.newRun(e)
	if err != nil {
		return err
	}
	defer run.state.Close()
	if err := run.read(signalsOf(c).ctx, ids); err != nil {
		return err
	}
	m := &fidelityModel{Model: e.source.name, Device: e.Device().Name, alike: stats.CKA(len(r.alike), run.inputs), head: e.describe()}
	for l, layer := range run.layers {
		m.Layers = append(m.Layers, curveOf(l, layer.Curve()))
		m.ECLMF = append(m.ECLMF, numbers(m.alike[l]))
	}
	m.mean()
	r.Models = append(r.Models, m)
	return nil
}

func (r *fidelityReport) newRun(e *engine) (*fidelityRun, error) {
	weights, err := sourceWeights(e)
	if err != nil {
		return nil, err
	}
	run := &fidelityRun{engine: e, inputs: make([][]float32, len(weights)), alike: map[int]bool{}, pools: make([]map[int]bool, len(weights))}
	for _, at := range r.alike {
		run.alike[at] = true
	}
	for _, w := range weights {
		layer, err := fidelity.NewLayer(w, r.Distances, r.chosen)
		if err != nil {
			return nil, err
		}
		run.layers = append(run.layers, layer)
	}
	if run.state, err = e.NewState(); err == nil && e.Config().Memory != nil {
		run.state.OnWindow(run.window)
	}
	return run, err
}

// read feeds the text window by window, so that the pools can be looked at when each begins.
func (f *fidelityRun) read(ctx context.Context, ids []int32) error {
	step := f.Chunk()
	if m := f.Config().Memory; m != nil {
		step = m.Window
	}
	progress := f.console.progress("text", tokenWords)
	defer f.console.clear()
	for from := 0; from < len(ids); from += step {
		some := ids[from:min(from+step, len(ids))]
		err := f.ForwardTapped(ctx, f.state, some, func(first int, layers []memmamba.LayerTap) error {
			return cmp.Or(f.failed, f.take(from+first, layers))
		})
		if err != nil {
			return err
		}
		progress(int64(from+len(some)), int64(len(ids)))
	}
	return nil
}

// window notes which tokens can be read of each layer during the window that begins.
func (f *fidelityRun) window(_ int64, reads []bool) {
	memory, err := f.state.Memory()
	if f.failed = cmp.Or(f.failed, err); f.failed != nil {
		return
	}
	for l := range f.pools {
		f.pools[l] = nil
		if !reads[l] && !crossed(f.Config(), l) {
			continue
		}
		f.pools[l] = map[int]bool{}
		for _, note := range memory[l].Notes {
			f.pools[l][int(note.Position)] = true
		}
	}
}

// crossed says whether a later layer's cross-layer attention reads layer l's pool.
func crossed(cfg memmamba.Config, l int) bool {
	p := cfg.Memory.Period
	for reader := l + 1; reader <= l+p && reader < cfg.NumHiddenLayers; reader++ {
		if (reader+1)%p == 0 {
			return true
		}
	}
	return false
}

// take hands tokens from a position on to every layer's measure.
func (f *fidelityRun) take(from int, layers []memmamba.LayerTap) error {
	cfg := f.Config()
	d, E, N := cfg.HiddenSize, cfg.IntermediateSize, cfg.StateSize
	for l, tap := range layers {
		for i := range len(tap.X) / d {
			x := tap.X[i*d : (i+1)*d]
			f.layers[l].Add(from+i, x, tap.U[i*E:(i+1)*E], tap.Delta[i*E:(i+1)*E], tap.B[i*N:(i+1)*N],
				func(position int) bool { return f.pools[l][position] })
			if f.alike[from+i] {
				f.inputs[l] = append(f.inputs[l], x...)
			}
		}
	}
	return nil
}

// shortText is the error of a text that ends before it has as many tokens as are asked for.
func shortText(name string, have, want int, err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: the text has %d tokens, --tokens asks for %d", name, have, want)
	}
	return err
}

func exp32(x float32) float32 { return float32(math.Exp(float64(x))) }
