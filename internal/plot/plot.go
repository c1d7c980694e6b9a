// Package plot draws the results of experiments as PNG pictures that explain themselves: axes with
// units, colours with a scale, and curves with their names beside them.
package plot

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"strconv"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

const (
	dpi        = 144
	border     = vg.Length(12) // around every panel
	titleSize  = vg.Length(14)
	labelSize  = vg.Length(12)
	tickSize   = vg.Length(11)
	fontFamily = font.Variant("Sans")
)

var ink, faint = color.Gray{40}, color.Gray{225}

// A Panel is a picture, or a part of one.
type Panel interface {
	size() (wide, high vg.Length)
	draw(c draw.Canvas) error
}

// A Grid is panels two abreast, of a size at which four of them fit a screen.
type Grid []Panel

const gridWide, gridHigh = vg.Length(480), vg.Length(265) // of each

func (g Grid) size() (wide, high vg.Length) {
	return 2 * gridWide, gridHigh * vg.Length((len(g)+1)/2)
}

func (g Grid) draw(c draw.Canvas) error {
	_, high := g.size()
	high -= 2 * border
	each := high / vg.Length((len(g)+1)/2)
	half := (c.Max.X - c.Min.X) / 2
	for i, p := range g {
		left, top := half*vg.Length(i%2), each*vg.Length(i/2)
		part := draw.Crop(c, left+border/2, left-half-border/2, high-top-each+border/2, -top-border/2)
		if err := p.draw(part); err != nil {
			return err
		}
	}
	return nil
}

// Write writes a PNG of panels, one above the other.
func Write(w io.Writer, panels ...Panel) error {
	var wide, high vg.Length
	for _, p := range panels {
		pw, ph := p.size()
		wide, high = max(wide, pw), high+ph
	}
	image := vgimg.NewWith(vgimg.UseWH(wide, high), vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(color.White))
	all, top := draw.New(image), high
	for _, p := range panels {
		_, ph := p.size()
		part := draw.Crop(all, border, -border, top-ph+border, top-high-border)
		if err := p.draw(part); err != nil {
			return err
		}
		top -= ph
	}
	if _, err := (vgimg.PngCanvas{Canvas: image}).WriteTo(w); err != nil {
		return fmt.Errorf("picture: %w", err)
	}
	return nil
}

// frame is a plot with axes in the house's style.
func frame(title, x, y string) *gonum.Plot {
	p := gonum.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding = 8
	style(&p.Title.TextStyle, titleSize)
	for _, axis := range []*gonum.Axis{&p.X, &p.Y} {
		style(&axis.Label.TextStyle, labelSize)
		style(&axis.Tick.Label, tickSize)
		axis.Label.Padding, axis.Padding = 6, 0
		axis.LineStyle.Color, axis.Tick.LineStyle.Color = ink, ink
	}
	return p
}

func style(s *text.Style, size vg.Length) {
	s.Font.Variant, s.Font.Size, s.Color = fontFamily, size, ink
}

// Short writes a whole number with a k for thousands where that loses nothing, as 400k.
func Short(n int) string {
	switch {
	case n >= 1e6 && n%1e5 == 0:
		return strconv.FormatFloat(float64(n)/1e6, 'f', -1, 64) + "M"
	case n >= 1e3 && n%100 == 0:
		return strconv.FormatFloat(float64(n)/1e3, 'f', -1, 64) + "k"
	}
	return strconv.Itoa(n)
}

// Percent writes a share, "" for none.
func Percent(share float64) string {
	if math.IsNaN(share) {
		return ""
	}
	return strconv.FormatFloat(100*share, 'f', 0, 64) + "%"
}
