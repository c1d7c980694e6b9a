package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/engine/probe"
	"github.com/mmrun/mmrun/internal/experiment/corpus"
	"github.com/mmrun/mmrun/internal/experiment/fidelity"
	"github.com/mmrun/mmrun/internal/experiment/stats"
	"github.com/mmrun/mmrun/memmamba"
)

// mostAlike bounds the tokens over which layers are compared.
const mostAlike = 512

// fidelityRun follows a text through one model.
type fidelityRun struct {
	*opened
	state  *engine.State
	tapper *probe.Tapper
	layers []*fidelity.Layer
	sizes  []memmamba.Fading
	inputs [][]float32    // of every layer, for the tokens over which layers are compared
	alike  map[int]bool   // their positions
	pools  []map[int]bool // of every layer, the tokens noted in it, if it is read in this window
}

// measure adds a model to the report.
func (r *fidelityReport) measure(c *cli.Context, e *opened, encode corpus.Encoder) error {
	ids, err := r.firstTokens(c, e, encode)
	if err != nil {
		return err
	}
	run, err := r.newRun(e)
	if err != nil {
		return err
	}
	defer run.close()
	if err := run.read(signalsOf(c).ctx, ids); err != nil {
		return err
	}
	m := &fidelityModel{Model: e.source.Name(), Device: e.Device().Name, alike: stats.CKA(len(r.alike), run.inputs), head: e.describe()}
	for l, layer := range run.layers {
		m.Layers = append(m.Layers, curveOf(l, layer.Curve()))
		m.ECLMF = append(m.ECLMF, numbers(m.alike[l]))
	}
	m.mean()
	r.Models = append(r.Models, m)
	return nil
}

func (r *fidelityReport) newRun(e *opened) (*fidelityRun, error) {
	weights, err := sourceWeights(e)
	if err != nil {
		return nil, err
	}
	run := &fidelityRun{opened: e, inputs: make([][]float32, len(weights)), alike: map[int]bool{}, pools: make([]map[int]bool, len(weights))}
	for _, at := range r.alike {
		run.alike[at] = true
	}
	for _, w := range weights {
		layer, err := fidelity.NewLayer(fidelity.Weights(w), r.Distances, r.chosen)
		if err != nil {
			return nil, err
		}
		run.layers, run.sizes = append(run.layers, layer), append(run.sizes, w)
	}
	if run.state, err = e.NewState(); err != nil {
		return nil, err
	}
	if run.tapper, err = probe.NewTapper(e.Model); err != nil {
		run.close()
		return nil, fmt.Errorf("%s: %w", e.source.Name(), err)
	}
	if memmamba.MemoryWindow(e.Config()) > 0 {
		run.state.OnWindow(run.window)
	}
	return run, nil
}

func (f *fidelityRun) close() {
	if f.tapper != nil {
		f.tapper.Close()
	}
	f.state.Close()
}

// read feeds the text window by window, so that the pools can be looked at when each begins.
func (f *fidelityRun) read(ctx context.Context, ids []int32) error {
	step := f.Chunk()
	if W := memmamba.MemoryWindow(f.Config()); W > 0 {
		step = W
	}
	progress := f.console.progress("text", tokenWords)
	defer f.console.clear()
	for from := 0; from < len(ids); from += step {
		some := ids[from:min(from+step, len(ids))]
		err := f.tapper.Forward(ctx, f.state, some, func(first int, layers []probe.Layer) error {
			f.take(from+first, layers)
			return nil
		})
		if err != nil {
			return err
		}
		progress(int64(from+len(some)), int64(len(ids)))
	}
	return nil
}

// window notes which tokens can be read of each layer during the window that begins.
func (f *fidelityRun) window(window int64) (err error) {
	f.pools, err = memmamba.Readable(f.state, window)
	return err
}

// take hands tokens from a position on to every layer's measure.
func (f *fidelityRun) take(from int, layers []probe.Layer) {
	for l, tap := range layers {
		w := f.sizes[l]
		d, E, H, N := w.D, w.E, w.Heads, w.Groups*w.N
		for i := range len(tap["x"]) / d {
			x := tap["x"][i*d : (i+1)*d]
			f.layers[l].Add(from+i, x, tap["u"][i*E:(i+1)*E], tap["delta"][i*H:(i+1)*H], tap["B"][i*N:(i+1)*N],
				func(position int) bool { return f.pools[l][position] })
			if f.alike[from+i] {
				f.inputs[l] = append(f.inputs[l], x...)
			}
		}
	}
}

// shortText is the error of a text that ends before it has as many tokens as are asked for.
func shortText(name string, have, want int, err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: the text has %d tokens, --tokens asks for %d", name, have, want)
	}
	return err
}
