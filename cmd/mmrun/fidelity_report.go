package main

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"github.com/mmrun/mmrun/internal/experiment/fidelity"
	"github.com/mmrun/mmrun/internal/plot"
)

// fidelityReport is what --json prints.
type fidelityReport struct {
	File      string           `json:"file"`
	Tokens    int              `json:"tokens"`
	Distances []int            `json:"distances"`
	Samples   int              `json:"samples"`
	Models    []*fidelityModel `json:"models"`

	chosen []int // positions of the tokens that are followed
	alike  []int // and of those over which layers are compared
}

type fidelityModel struct {
	Model  string `json:"model"`
	Device string `json:"device"`
	fidelityCurve
	Layers []*fidelityLayer `json:"layers"`
	ECLMF  [][]number       `json:"eclmf"`
	alike  [][]float64      // the same
	head   string
}

// fidelityCurve has a number for each distance.
type fidelityCurve struct {
	State []float64 `json:"state"`
	ETMF  []float64 `json:"etmf"`
	Noted []float64 `json:"noted"`
}

type fidelityLayer struct {
	Layer int `json:"layer"`
	fidelityCurve
	Error []float64 `json:"etmf_error"`
}

func curveOf(l int, c fidelity.Curve) *fidelityLayer {
	return &fidelityLayer{l, fidelityCurve{c.State, c.ETMF, c.Remembered}, c.Error}
}

// mean fills in the curves that are means over the layers.
func (m *fidelityModel) mean() {
	n := len(m.Layers[0].State)
	m.State, m.ETMF, m.Noted = make([]float64, n), make([]float64, n), make([]float64, n)
	for _, l := range m.Layers {
		for k := range n {
			m.State[k] += l.State[k] / float64(len(m.Layers))
			m.ETMF[k] += l.ETMF[k] / float64(len(m.Layers))
			m.Noted[k] += l.Noted[k] / float64(len(m.Layers))
		}
	}
}

// span is the lowest and the highest value that a layer has at distance k.
func (m *fidelityModel) span(k int, of func(*fidelityLayer) []float64) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, l := range m.Layers {
		low, high = min(low, of(l)[k]), max(high, of(l)[k])
	}
	return low, high
}

func (r *fidelityReport) text() string {
	var text strings.Builder
	for i, m := range r.Models {
		if i > 0 {
			text.WriteByte('\n')
		}
		text.WriteString(m.head)
		fmt.Fprintf(&text, "text    the first %d tokens of %s, %d of them followed\n\n", r.Tokens, r.File, r.Samples)
		t := newTable(">distance", ">state", ">ETMF", ">lowest", ">highest layer", ">noted")
		for k, distance := range r.Distances {
			low, high := m.span(k, func(l *fidelityLayer) []float64 { return l.ETMF })
			t.add(fmt.Sprint(distance), share(m.State[k]), share(m.ETMF[k]), share(low), share(high), share(m.Noted[k]))
		}
		text.WriteString(t.String() + "\n")
		t = newTable(">layers apart", ">ECLMF", ">lowest", ">highest pair")
		for apart := 1; apart < len(m.alike); apart *= 2 {
			mean, low, high := m.apart(apart)
			t.add(fmt.Sprint(apart), share(mean), share(low), share(high))
		}
		text.WriteString(t.String())
	}
	return text.String()
}

// apart is ECLMF over all pairs of layers of the same distance.
func (m *fidelityModel) apart(n int) (mean, low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	pairs := len(m.alike) - n
	for g := range pairs {
		v := m.alike[g][g+n]
		mean, low, high = mean+v/float64(pairs), min(low, v), max(high, v)
	}
	return mean, low, high
}

func share(v float64) string { return fmt.Sprintf("%.3f", v) }

// faintest is where the picture's axis begins; what is below lies on it.
const faintest = 1e-4

// panels are the decays of all models in one picture, and a map of the layers for each.
func (r *fidelityReport) panels() []plot.Panel {
	decay := plot.Lines{
		Title: "What is left of a token: mean over the layers, and their span", X: "distance (tokens)", Y: "fidelity (share)",
		LogX: true, LogY: true, Low: faintest, High: 1,
	}
	for _, k := range r.Distances {
		decay.XTicks = append(decay.XTicks, plot.Tick{Value: float64(k), Label: plot.Short(k)})
	}
	var maps []plot.Panel
	for _, m := range r.Models {
		name := filepath.Base(m.Model)
		if m.noted() {
			decay.Curves = append(decay.Curves, m.curve(name+": ETMF", m.ETMF, r.Distances, func(l *fidelityLayer) []float64 { return l.ETMF }, false))
		}
		decay.Curves = append(decay.Curves, m.curve(name+": state", m.State, r.Distances, func(l *fidelityLayer) []float64 { return l.State }, true))
		maps = append(maps, m.similarity(name))
	}
	return append([]plot.Panel{decay}, beside(maps)...)
}

// noted says whether the memory ever held something that counts.
func (m *fidelityModel) noted() bool {
	for _, v := range m.Noted {
		if v > 0 {
			return true
		}
	}
	return false
}

func (m *fidelityModel) curve(name string, y []float64, distances []int, of func(*fidelityLayer) []float64, dashed bool) plot.Curve {
	c := plot.Curve{Name: name, Dashed: dashed, Dots: true}
	for k, distance := range distances {
		low, high := m.span(k, of)
		c.X, c.Y = append(c.X, float64(distance)), append(c.Y, max(y[k], faintest))
		c.Low, c.High = append(c.Low, max(low, faintest)), append(c.High, max(high, faintest))
	}
	return c
}

// similarity is the map of layers against layers.
func (m *fidelityModel) similarity(name string) plot.Panel {
	h := plot.HeatMap{
		Title: "ECLMF of " + name + ": how alike the layers' inputs are", X: "layer", Y: "layer",
		Values: m.alike, High: 1, Scale: "linear CKA", Label: func(v float64) string { return fmt.Sprintf("%.2f", v) },
		Write: len(m.alike) <= 8,
	}
	every := (len(m.alike) + 11) / 12 // labels that do not crowd
	for l := range m.alike {
		label := ""
		if l%every == 0 {
			label = fmt.Sprint(l)
		}
		h.Rows, h.Columns = append(h.Rows, label), append(h.Columns, label)
	}
	return h
}
