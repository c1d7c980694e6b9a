package main

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mmrun/mmrun/internal/plot"
)

// latencyReport is what --json prints.
type latencyReport struct {
	Generate int             `json:"generate"`
	Contexts []int           `json:"contexts"`
	Ratios   []float64       `json:"ratios"`
	Models   []*latencyModel `json:"models"`
}

type latencyModel struct {
	Model      string            `json:"model"`
	ModelType  string            `json:"model_type"`
	Layers     int               `json:"layers"`
	Hidden     int               `json:"hidden_size"`
	Parameters int64             `json:"parameters"`
	Device     string            `json:"device"`
	Contexts   []*latencyContext `json:"contexts"`
	head       string
}

// latencyContext is what a context length takes, in seconds and bytes.
type latencyContext struct {
	Context   int     `json:"context"`
	Prompt    float64 `json:"prompt_s"`     // to read them
	Token     float64 `json:"token_s"`      // for each further one
	EndToEnd  float64 `json:"end_to_end_s"` // for both
	State     int64   `json:"state_bytes"`
	Device    int64   `json:"device_bytes"`    // with weights and activations
	Allocated int64   `json:"allocated_bytes"` // with what the device rounds up
}

// compare fills in the ratios.
func (r *latencyReport) compare() {
	for i := range r.Contexts {
		r.Ratios = append(r.Ratios, r.Models[0].Contexts[i].EndToEnd/r.Models[1].Contexts[i].EndToEnd)
	}
}

func (r *latencyReport) text() string {
	var text strings.Builder
	for _, m := range r.Models {
		text.WriteString(m.head)
		fmt.Fprintf(&text, "        %s parameters\n", formatCount(m.Parameters))
	}
	fmt.Fprintf(&text, "tokens  a prompt at random, %d generated after each context\n", r.Generate)
	for i, m := range r.Models {
		fmt.Fprintf(&text, "\n%s\n", m.name())
		headings := []string{">context", ">prompt s", ">token ms", ">end to end s", ">state", ">device memory"}
		if i == 0 {
			headings = append(headings, ">of the other's time")
		}
		t := newTable(headings...)
		for j, one := range m.Contexts {
			cells := []string{fmt.Sprint(one.Context), fmt.Sprintf("%.2f", one.Prompt), fmt.Sprintf("%.2f", 1000*one.Token),
				fmt.Sprintf("%.2f", one.EndToEnd), formatBytes(one.State), formatBytes(one.Device)}
			if i == 0 {
				cells = append(cells, fmt.Sprintf("%.2f", r.Ratios[j]))
			}
			t.add(cells...)
		}
		text.WriteString(t.String())
	}
	return text.String()
}

// name is what pictures and tables call a model.
func (m *latencyModel) name() string { return filepath.Base(m.Model) }

// panels are the times and the memory by context length.
func (r *latencyReport) panels() []plot.Panel {
	const mebibyte = 1 << 20
	lines := func(title, y string) plot.Lines {
		l := plot.Lines{Title: title, X: "context (tokens)", Y: y, LogX: true, LogY: true}
		for _, n := range r.Contexts {
			l.XTicks = append(l.XTicks, plot.Tick{Value: float64(n), Label: plot.Short(n)})
		}
		return l
	}
	end := lines(fmt.Sprintf("Time to read a prompt and write %d tokens", r.Generate), "seconds")
	token := lines("Time of a further token", "milliseconds")
	state, device := lines("Memory of a sequence", "MiB"), lines("Device memory: weights, activations and sequence", "MiB")
	for i, m := range r.Models {
		add := func(l *plot.Lines, of func(*latencyContext) float64) {
			curve := plot.Curve{Name: m.name(), Dots: true, Dashed: i > 0}
			for _, one := range m.Contexts {
				curve.X, curve.Y = append(curve.X, float64(one.Context)), append(curve.Y, of(one))
			}
			l.Curves = append(l.Curves, curve)
		}
		add(&end, func(one *latencyContext) float64 { return one.EndToEnd })
		add(&token, func(one *latencyContext) float64 { return 1000 * one.Token })
		add(&state, func(one *latencyContext) float64 { return float64(one.State) / mebibyte })
		add(&device, func(one *latencyContext) float64 { return float64(one.Device) / mebibyte })
	}
	panels := []*plot.Lines{&end, &token, &state, &device}
	var all plot.Grid
	for _, l := range panels {
		l.Low, l.High = wholeDecades(l.Curves)
		all = append(all, *l)
	}
	return []plot.Panel{all}
}

// wholeDecades are the powers of ten that curves lie between.
func wholeDecades(curves []plot.Curve) (low, high float64) {
	low, high = math.Inf(1), 0
	for _, c := range curves {
		low, high = min(low, slices.Min(c.Y)), max(high, slices.Max(c.Y))
	}
	return math.Pow10(int(math.Floor(math.Log10(low)))), math.Pow10(int(math.Floor(math.Log10(high))) + 1)
}
