package plot

import (
	"fmt"
	"image/color"
	"math"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A HeatMap is a table of numbers as colours, with a scale at its right.
type HeatMap struct {
	Title, X, Y   string
	Columns, Rows []string               // their labels, from the left and from the top; "" for none
	Values        [][]float64            // by row; NaN is left white
	Low, High     float64                // what the ends of the scale stand for
	Scale         string                 // what the colours mean
	Label         func(v float64) string // what is written on the scale, and into cells
	Write         bool                   // into every cell
}

// Sizes of a heat map.
const (
	mapWide = vg.Length(640)
	scale   = vg.Length(96) // for the scale of colours with its labels
	cell    = vg.Length(46) // high, where something is written into it
	mapHigh = vg.Length(560)
	seam    = vg.Length(0.4)
	around  = vg.Length(110) // title and axis
)

func (h HeatMap) size() (wide, high vg.Length) {
	high = mapHigh
	if h.Write {
		high = around + cell*vg.Length(len(h.Rows))
	}
	return mapWide, high
}

func (h HeatMap) draw(c draw.Canvas) error {
	if !(h.High > h.Low) || len(h.Values) != len(h.Rows) {
		return fmt.Errorf("heat map: %d rows of values and %d labels from %g to %g", len(h.Values), len(h.Rows), h.Low, h.High)
	}
	for _, row := range h.Values {
		if len(row) != len(h.Columns) {
			return fmt.Errorf("heat map: %d values in a row of %d columns", len(row), len(h.Columns))
		}
	}
	cells := frame(h.Title, h.X, h.Y)
	cells.X.Tick.Marker, cells.Y.Tick.Marker = nominal(h.Columns), nominal(h.Rows)
	cells.X.Tick.Length, cells.Y.Tick.Length = 0, 0
	cells.X.LineStyle.Width, cells.Y.LineStyle.Width = 0, 0
	cells.Y.Scale = gonum.InvertedScale{Normalizer: gonum.LinearScale{}}
	cells.X.Min, cells.X.Max = -0.5, float64(len(h.Columns))-0.5
	cells.Y.Min, cells.Y.Max = -0.5, float64(len(h.Rows))-0.5
	cells.Add(heat{h})
	left := draw.Crop(c, 0, -scale, 0, 0)
	cells.Draw(left)

	bar := frame("", "", h.Scale)
	bar.X.Tick.Marker, bar.X.LineStyle.Width = gonum.ConstantTicks{}, 0
	bar.X.Min, bar.X.Max, bar.Y.Min, bar.Y.Max = 0, 1, h.Low, h.High
	bar.Y.Tick.Marker = quarters(h.Low, h.High, h.Label)
	bar.Add(ramp{})
	data := cells.DataCanvas(left)
	right := draw.Crop(c, c.Max.X-c.Min.X-scale+16, 0, data.Min.Y-c.Min.Y, data.Max.Y-c.Max.Y)
	bar.Draw(right)
	return nil
}

// heat draws the cells.
type heat struct{ HeatMap }

// Plot draws the cells on the plot's canvas.
func (h heat) Plot(c draw.Canvas, p *gonum.Plot) {
	toX, toY := p.Transforms(&c)
	for y, row := range h.Values {
		for x, v := range row {
			if math.IsNaN(v) {
				continue
			}
			shade := colorOf((v - h.Low) / (h.High - h.Low))
			x0, x1 := toX(float64(x)-0.5), toX(float64(x)+0.5)
			y0, y1 := toY(float64(y)+0.5), toY(float64(y)-0.5)
			// A little larger: the next cells cover it, and no seams show.
			c.FillPolygon(shade, []vg.Point{{X: x0, Y: y0 - seam}, {X: x1 + seam, Y: y0 - seam}, {X: x1 + seam, Y: y1}, {X: x0, Y: y1}})
			if h.Write {
				sty := text.Style{Font: p.X.Tick.Label.Font, Color: readableOn(shade), XAlign: draw.XCenter, YAlign: draw.YCenter, Handler: p.TextHandler}
				c.FillText(sty, vg.Point{X: (x0 + x1) / 2, Y: (y0 + y1) / 2}, h.Label(v))
			}
		}
	}
}

// ramp draws the scale of colours.
type ramp struct{}

// Plot draws the scale from bottom to top.
func (ramp) Plot(c draw.Canvas, _ *gonum.Plot) {
	const steps = 200
	high := c.Max.Y - c.Min.Y
	for i := range steps {
		y := c.Min.Y + high*vg.Length(i)/steps // each up to the top, so that no seams show
		c.FillPolygon(colorOf((float64(i)+0.5)/steps), []vg.Point{{X: c.Min.X, Y: y}, {X: c.Max.X, Y: y}, c.Max, {X: c.Min.X, Y: c.Max.Y}})
	}
}

// scaleColors go from nothing to all: viridis, which keeps its order in grey and for the colour-blind.
var scaleColors = []color.RGBA{
	{68, 1, 84, 255}, {72, 40, 120, 255}, {62, 74, 137, 255}, {49, 104, 142, 255}, {38, 130, 142, 255},
	{31, 158, 137, 255}, {53, 183, 121, 255}, {110, 206, 88, 255}, {181, 222, 43, 255}, {253, 231, 37, 255},
}

// colorOf is the colour of a share of the scale; what is off the scale has its end's.
func colorOf(share float64) color.RGBA {
	at := max(0, min(1, share)) * float64(len(scaleColors)-1)
	i := min(int(at), len(scaleColors)-2)
	a, b, f := scaleColors[i], scaleColors[i+1], at-float64(i)
	mix := func(x, y uint8) uint8 { return uint8(math.Round(float64(x) + f*(float64(y)-float64(x)))) }
	return color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 255}
}

// readableOn is black or white, whichever stands out.
func readableOn(c color.RGBA) color.Color {
	if 0.3*float64(c.R)+0.59*float64(c.G)+0.11*float64(c.B) > 130 {
		return color.Black
	}
	return color.White
}
