package plot

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	gonum "gonum.org/v1/plot"
)

// says is the number that a label stands for.
func says(t *testing.T, label string) float64 {
	t.Helper()
	factor, digits := 1.0, label
	for unit, f := range map[string]float64{"k": 1e3, "M": 1e6, "%": 0.01} {
		if rest, ok := strings.CutSuffix(label, unit); ok {
			factor, digits = f, rest
		}
	}
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		t.Errorf("label %q is no number", label)
	}
	return factor * v
}

// wantTrue checks that labels equal their ticks, which lie within the axis and are in order, and that there are some.
func wantTrue(t *testing.T, what string, ticks []gonum.Tick, low, high float64) {
	t.Helper()
	labels, before := 0, math.Inf(-1)
	for _, tick := range ticks {
		if tick.Value < low-1e-6*math.Abs(high-low) || tick.Value > high+1e-6*math.Abs(high-low) || tick.Value <= before {
			t.Errorf("%s: a tick at %g after %g, on an axis from %g to %g", what, tick.Value, before, low, high)
		}
		before = tick.Value
		if tick.Label == "" {
			continue
		}
		labels++
		if v := says(t, tick.Label); math.Abs(v-tick.Value) > 1e-9*math.Abs(tick.Value) {
			t.Errorf("%s: label %q at %g", what, tick.Label, tick.Value)
		}
	}
	if labels < 2 || labels > 12 {
		t.Errorf("%s: %d labels from %g to %g", what, labels, low, high)
	}
}

// TestLabelsEqualTheirTicks of whatever axes: 2.2 at 2.20 and not at 2.16.
func TestLabelsEqualTheirTicks(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		size := math.Pow(10, 12*rng.Float64()-6)
		low := size * (2*rng.Float64() - 1)
		high := low + size*(0.01+rng.Float64())
		wantTrue(t, "steps", steps{}.Ticks(low, high), low, high)
		if high = math.Abs(low) * math.Pow(10, 0.6+5*rng.Float64()); high < 1e12 {
			wantTrue(t, "logarithms", logTicks{3}.Ticks(math.Abs(low), high), math.Abs(low), high)
		}
	}
	wantTrue(t, "decades", decades(1e-4, 1), 1e-4, 1)
	wantTrue(t, "quarters", quarters(0, 1, Percent), 0, 1)
}

// TestLinesLabels looks at the axes as they are drawn, of the picture of bits per byte as well.
func TestLinesLabels(t *testing.T) {
	bits := Curve{Name: "a", X: []float64{256, 144407}, Y: []float64{2.345, 2.284}, Low: []float64{2.32, 2.16}, High: []float64{2.37, 2.41}}
	for _, l := range []Lines{
		{Title: "Bits", Curves: []Curve{bits}, LogX: true}, {Title: "All", Curves: []Curve{bits}},
		{Title: "Share", Curves: []Curve{bits}, High: 1, LogX: true}, {Title: "Percent", Curves: []Curve{bits}, High: 100},
		{Title: "Time", Curves: []Curve{bits}, LogX: true, LogY: true, Low: 1e-3, High: 100},
	} {
		p, err := l.plot()
		if err != nil {
			t.Fatal(err)
		}
		for what, axis := range map[string]gonum.Axis{" x": p.X, " y": p.Y} {
			wantTrue(t, l.Title+what, axis.Tick.Marker.Ticks(axis.Min, axis.Max), axis.Min, axis.Max)
		}
	}
}
