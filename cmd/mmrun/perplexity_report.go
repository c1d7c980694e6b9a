package main

import (
	"cmp"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mmrun/mmrun/internal/experiment/stats"
	"github.com/mmrun/mmrun/internal/plot"
)

// perplexityReport is what --json prints.
type perplexityReport struct {
	File   string             `json:"file"`
	Last   int                `json:"last,omitempty"` // tokens of a piece that are scored; 0 is all
	Models []*perplexityModel `json:"models"`
}

type perplexityModel struct {
	Model    string          `json:"model"`
	Device   string          `json:"device"`
	Bytes    int64           `json:"bytes"`
	Tokens   int64           `json:"tokens"`
	BOS      *int32          `json:"bos"`
	Contexts []contextReport `json:"contexts"`
	head     string
}

type contextReport struct {
	Context   int64            `json:"context"`
	Speed     float64          `json:"tokens_per_s"`
	Positions []positionReport `json:"positions"`
	surpriseReport
}

type positionReport struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
	surpriseReport
}

type surpriseReport struct {
	Tokens      int64  `json:"tokens"`
	Perplexity  figure `json:"perplexity"`
	BitsPerByte figure `json:"bits_per_byte"`
	Blocks      int    `json:"blocks"`
	BlockTokens int64  `json:"block_tokens"`
}

func surpriseOf(s *stats.Surprise) surpriseReport {
	return surpriseReport{s.Tokens(), figureOf(s.Perplexity()), figureOf(s.BitsPerByte()), s.Blocks(), s.BlockTokens()}
}

func (p *perplexity) report() *perplexityModel {
	m := &perplexityModel{Model: p.source.Name(), Device: p.Device().Name, Bytes: p.done, Tokens: p.tokens, head: p.describe()}
	if p.bos >= 0 {
		m.BOS = &p.bos
	}
	for _, r := range p.reading {
		m.Contexts = append(m.Contexts, r.report())
	}
	return m
}

func (r *reading) report() contextReport {
	out := contextReport{Context: r.context, Speed: perSecond(int(r.all.Tokens()), r.spent), surpriseReport: surpriseOf(&r.all)}
	longest := r.tokens
	if r.context > 0 {
		longest = min(longest, r.context)
	}
	from := int64(0)
	for i := range r.positions {
		to := min(longest, firstBucket<<i)
		if r.positions[i].Tokens() > 0 {
			out.Positions = append(out.Positions, positionReport{from, to, surpriseOf(&r.positions[i])})
		}
		from = to
	}
	return out
}

func (r *perplexityReport) text() string {
	var text strings.Builder
	for i, m := range r.Models {
		if i > 0 {
			text.WriteByte('\n')
		}
		text.WriteString(m.head)
		fmt.Fprintf(&text, "text    %s: %s bytes, %s tokens\n\n", r.File, spaced(m.Bytes), spaced(m.Tokens))
		t := newTable(">context", ">tokens", ">perplexity", ">±", ">bits/byte", ">±", ">tokens/s")
		for _, c := range m.Contexts {
			t.add(append(append([]string{c.name()}, c.cells()...), fmt.Sprintf("%.0f", c.Speed))...)
		}
		text.WriteString(t.String())
		for _, c := range m.Contexts {
			fmt.Fprintf(&text, "\ncontext %s, by position\n", c.name())
			t := newTable(">from", ">to", ">tokens", ">perplexity", ">±", ">bits/byte", ">±")
			for _, p := range c.Positions {
				t.add(append([]string{fmt.Sprint(p.From), fmt.Sprint(p.To - 1)}, p.cells()...)...)
			}
			text.WriteString(t.String())
		}
	}
	return text.String()
}

func (c contextReport) name() string {
	if c.Context == 0 {
		return "all"
	}
	return fmt.Sprint(c.Context)
}

func (s surpriseReport) cells() []string {
	digits := 3
	if s.Perplexity.Value >= 1000 {
		digits = 0
	}
	cells := append([]string{fmt.Sprint(s.Tokens)}, s.Perplexity.cells(digits)...)
	return append(cells, s.BitsPerByte.cells(4)...)
}

// length is the context in tokens, that of the whole text too.
func (m *perplexityModel) length(c contextReport) int64 {
	if c.Context == 0 {
		return m.Tokens
	}
	return c.Context
}

// byLength are the contexts from the shortest to the longest.
func byLength(m *perplexityModel) []contextReport {
	return slices.SortedFunc(slices.Values(m.Contexts), func(a, b contextReport) int { return cmp.Compare(m.length(a), m.length(b)) })
}

// panels are bits per byte by context, where there are several, and by position in the longest.
func (r *perplexityReport) panels() []plot.Panel {
	byContext := plot.Lines{Title: "By context length", X: "context (tokens)", Y: "bits per byte, ± twice the error", LogX: true}
	byPosition := plot.Lines{Title: "By position in the longest context", X: "position (tokens)", Y: "bits per byte, ± twice the error", LogX: true}
	for _, m := range r.Models {
		name, sorted := filepath.Base(m.Model), byLength(m)
		contexts, positions := plot.Curve{Name: name, Dots: true}, plot.Curve{Name: name, Dots: true}
		for _, c := range sorted {
			addFigure(&contexts, float64(m.length(c)), c.BitsPerByte)
		}
		for _, p := range sorted[len(sorted)-1].Positions {
			addFigure(&positions, math.Sqrt(float64(max(p.From, 1))*float64(p.To)), p.BitsPerByte)
		}
		byContext.Curves, byPosition.Curves = append(byContext.Curves, contexts), append(byPosition.Curves, positions)
	}
	if len(r.Models[0].Contexts) < 2 {
		return []plot.Panel{byPosition}
	}
	return beside([]plot.Panel{byContext, byPosition})
}

// addFigure adds a point with its error as a band, which is none where the error is not known.
func addFigure(c *plot.Curve, x float64, f figure) {
	y, band := float64(f.Value), 0.0
	if f.Error != nil {
		band = 2 * float64(*f.Error)
	}
	c.X, c.Y = append(c.X, x), append(c.Y, y)
	c.Low, c.High = append(c.Low, y-band), append(c.High, y+band)
}
