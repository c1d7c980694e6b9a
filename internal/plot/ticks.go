package plot

import (
	"math"
	"slices"
	"strconv"

	gonum "gonum.org/v1/plot"
)

// nominal puts one label at every whole number.
func nominal(labels []string) gonum.ConstantTicks {
	var ticks gonum.ConstantTicks
	for i, label := range labels {
		ticks = append(ticks, gonum.Tick{Value: float64(i), Label: label})
	}
	return ticks
}

// labelled are ticks at places that somebody has chosen.
func labelled(at []Tick) gonum.ConstantTicks {
	var ticks gonum.ConstantTicks
	for _, t := range at {
		ticks = append(ticks, gonum.Tick{Value: t.Value, Label: t.Label})
	}
	return ticks
}

// quarters divide an axis in four.
func quarters(low, high float64, label func(v float64) string) gonum.ConstantTicks {
	const parts = 4
	var ticks gonum.ConstantTicks
	for i := range parts + 1 {
		v := low + (high-low)*float64(i)/parts
		ticks = append(ticks, gonum.Tick{Value: v, Label: label(v)})
	}
	return ticks
}

// decades label the powers of ten from low to high, both included.
func decades(low, high float64) gonum.ConstantTicks {
	return logTicks{1}.Ticks(low, high)
}

// steps are ticks at multiples of a power of ten, of twice it or of five times it, whichever makes about five.
// Their labels have all the digits of the value.
type steps struct{}

// Ticks implements gonum.Ticker.
func (steps) Ticks(low, high float64) (ticks []gonum.Tick) {
	const about = 5
	if !(high > low) {
		return []gonum.Tick{{Value: low, Label: strconv.FormatFloat(low, 'g', -1, 64)}}
	}
	exponent := int(math.Floor(math.Log10((high - low) / about)))
	factor := 1.0
	for _, f := range []float64{2, 5, 10} {
		if (high-low)/(factor*math.Pow10(exponent)) > about {
			factor = f
		}
	}
	digits := max(0, -exponent)
	for i := math.Ceil(low / factor / math.Pow10(exponent)); ; i++ {
		// The value is what its label says, not a sum of rounded steps.
		label := strconv.FormatFloat(i*factor*math.Pow10(exponent), 'f', digits, 64)
		v, err := strconv.ParseFloat(label, 64)
		if err != nil || v > high+1e-9*(high-low) {
			return ticks
		}
		ticks = append(ticks, gonum.Tick{Value: v, Label: label})
	}
}

// logTicks are ticks at whole multiples of powers of ten, labelled at the powers, at 2 and 5 times them too where there
// would be less than Least labels, and else at all.
type logTicks struct{ Least int }

// Ticks implements gonum.Ticker.
func (l logTicks) Ticks(low, high float64) []gonum.Tick {
	if !(low > 0) || math.IsInf(high, 0) {
		return nil
	}
	var ticks []gonum.Tick
	var factors []int
	from, to := int(math.Floor(math.Log10(low)+1e-9)), int(math.Ceil(math.Log10(high)-1e-9))
	for i := from; i <= to; i++ {
		for m := 1; m < 10; m++ {
			label := strconv.FormatFloat(float64(m)*math.Pow10(i), 'f', max(0, -i), 64)
			v, err := strconv.ParseFloat(label, 64)
			if err == nil && v >= low*(1-1e-9) && v <= high*(1+1e-9) {
				ticks, factors = append(ticks, gonum.Tick{Value: v, Label: label}), append(factors, m)
			}
		}
	}
	var keep []int
	for _, keep = range [][]int{{1}, {1, 2, 5}, {1, 2, 3, 4, 5, 6, 7, 8, 9}} {
		labels := 0
		for _, m := range factors {
			if slices.Contains(keep, m) {
				labels++
			}
		}
		if labels >= l.Least {
			break
		}
	}
	for i, m := range factors {
		if !slices.Contains(keep, m) {
			ticks[i].Label = ""
		}
	}
	return ticks
}
