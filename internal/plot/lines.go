package plot

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"sort"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Lines are curves over one axis, each with its name at its right end.
type Lines struct {
	Title, X, Y string
	LogX, LogY  bool
	Low, High   float64 // of the vertical axis; equal: what the curves need
	Curves      []Curve
	// XTicks are where the horizontal axis has labels; nil is at round numbers.
	XTicks []Tick
}

// A Tick is a label on an axis.
type Tick struct {
	Value float64
	Label string
}

// A Curve is a function by points. Low and High, where given, are the bounds of a band around it.
type Curve struct {
	Name      string
	X, Y      []float64
	Low, High []float64
	Dashed    bool // of several that are; where none is, each has a line of its own kind
	Dots      bool // at the points
}

const linesWide, linesHigh = vg.Length(640), vg.Length(400)

// curveColors can be told apart by the colour-blind (Okabe and Ito).
var curveColors = []color.RGBA{{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {86, 86, 86, 255}, {230, 159, 0, 255}}

func (l Lines) size() (wide, high vg.Length) { return linesWide, linesHigh }

func (l Lines) draw(c draw.Canvas) error {
	p, err := l.plot()
	if err == nil {
		p.Draw(c)
	}
	return err
}

// plot is all that is drawn.
func (l Lines) plot() (*gonum.Plot, error) {
	p := frame(l.Title, l.X, l.Y)
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = faint, faint
	p.Add(grid)
	for _, add := range []func(*gonum.Plot, Curve, mark) error{addBand, addCurve} { // curves over bands
		for i, curve := range l.Curves {
			if err := add(p, curve, l.mark(i)); err != nil {
				return nil, fmt.Errorf("curve %q: %w", curve.Name, err)
			}
		}
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = steps{}, steps{}
	if l.High > l.Low {
		p.Y.Min, p.Y.Max = l.Low, l.High
	}
	if l.LogX {
		p.X.Scale, p.X.Tick.Marker = gonum.LogScale{}, logTicks{3}
	}
	if l.LogY {
		p.Y.Scale, p.Y.Tick.Marker = gonum.LogScale{}, logTicks{3}
		if l.High > l.Low {
			p.Y.Tick.Marker = decades(l.Low, l.High)
		}
	}
	if l.XTicks != nil {
		p.X.Tick.Marker = labelled(l.XTicks)
	}
	p.Add(names{l.Curves})
	return p, nil
}

// A mark is how a curve looks: where two lie on each other both are seen, one through the gaps of the other, and
// its points around those.
type mark struct {
	shade  color.RGBA
	dashes []vg.Length
	glyph  draw.GlyphDrawer
	radius vg.Length
}

// mark is the i-th curve's.
func (l Lines) mark(i int) mark {
	glyphs := []draw.GlyphDrawer{draw.CircleGlyph{}, draw.RingGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.CrossGlyph{}, draw.PlusGlyph{}}
	m := mark{shade: curveColors[i%len(curveColors)], glyph: glyphs[i%len(glyphs)], radius: 3 + vg.Length(i%len(glyphs))}
	dashes := [][]vg.Length{nil, {7, 5}, {2, 4}, {9, 3, 2, 3}}
	if !slices.ContainsFunc(l.Curves, func(c Curve) bool { return c.Dashed }) {
		m.dashes = dashes[i%len(dashes)]
	} else if l.Curves[i].Dashed {
		m.dashes = []vg.Length{6, 4}
	}
	return m
}

func addBand(p *gonum.Plot, c Curve, m mark) error {
	if len(c.Low) == 0 {
		return nil
	}
	if len(c.Low) != len(c.X) || len(c.High) != len(c.X) {
		return fmt.Errorf("%d points with %d and %d bounds", len(c.X), len(c.Low), len(c.High))
	}
	var edge plotter.XYs
	for i, x := range c.X {
		edge = append(edge, plotter.XY{X: x, Y: c.High[i]})
	}
	for i := len(c.X) - 1; i >= 0; i-- {
		edge = append(edge, plotter.XY{X: c.X[i], Y: c.Low[i]})
	}
	band, err := plotter.NewPolygon(edge)
	if err != nil {
		return err
	}
	band.Color, band.LineStyle.Width = color.NRGBA{m.shade.R, m.shade.G, m.shade.B, 45}, 0
	p.Add(band)
	return nil
}

func addCurve(p *gonum.Plot, c Curve, m mark) error {
	if len(c.X) != len(c.Y) {
		return fmt.Errorf("%d points at %d places", len(c.Y), len(c.X))
	}
	points := make(plotter.XYs, len(c.X))
	for i := range points {
		points[i].X, points[i].Y = c.X[i], c.Y[i]
	}
	line, dots, err := plotter.NewLinePoints(points)
	if err != nil {
		return err
	}
	line.Color, line.Width, line.Dashes = m.shade, 2, m.dashes
	p.Add(line)
	if c.Dots {
		dots.GlyphStyle = draw.GlyphStyle{Color: m.shade, Radius: m.radius, Shape: m.glyph}
		p.Add(dots)
	}
	return nil
}

// names writes every curve's name beside its last point, moved where names would cover one another.
type names struct{ curves []Curve }

const nameGap = vg.Length(6) // between a curve and its name

func (n names) style(p *gonum.Plot) text.Style {
	sty := p.X.Tick.Label
	sty.XAlign, sty.YAlign, sty.Font.Size = draw.XLeft, draw.YCenter, labelSize
	return sty
}

// Plot writes the names.
func (n names) Plot(c draw.Canvas, p *gonum.Plot) {
	toX, toY := p.Transforms(&c)
	sty := n.style(p)
	high := sty.Height("X") * 1.4
	type name struct {
		at    vg.Point
		curve int
	}
	var all []name
	for i, curve := range n.curves {
		last := len(curve.X) - 1
		y := max(p.Y.Min, min(p.Y.Max, curve.Y[last]))
		if math.IsNaN(y) {
			continue
		}
		all = append(all, name{vg.Point{X: toX(curve.X[last]) + nameGap, Y: toY(y)}, i})
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].at.Y < all[j].at.Y })
	for i := 1; i < len(all); i++ {
		all[i].at.Y = max(all[i].at.Y, all[i-1].at.Y+high)
	}
	top := c.Max.Y
	for i := len(all) - 1; i >= 0; i-- {
		all[i].at.Y = min(all[i].at.Y, top)
		top = all[i].at.Y - high
	}
	for _, one := range all {
		sty.Color = curveColors[one.curve%len(curveColors)]
		c.FillText(sty, one.at, n.curves[one.curve].Name)
	}
}

// GlyphBoxes reserves the room that the names take.
func (n names) GlyphBoxes(p *gonum.Plot) []gonum.GlyphBox {
	var boxes []gonum.GlyphBox
	sty := n.style(p)
	for _, curve := range n.curves {
		x := p.X.Norm(curve.X[len(curve.X)-1])
		boxes = append(boxes, gonum.GlyphBox{X: x, Y: 0.5, Rectangle: vg.Rectangle{Max: vg.Point{X: sty.Width(curve.Name) + nameGap}}})
	}
	return boxes
}
