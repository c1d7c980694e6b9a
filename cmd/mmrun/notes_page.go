package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
)

//go:embed page/notes.html
var notesHTML string

//go:embed page/notes.css
var notesCSS string

//go:embed page/notes.js
var notesJS string

var notesTemplate = template.Must(template.New("notes").Parse(notesHTML))

// pageData is what the page's script works on; short names, because there may be a million notes.
type pageData struct {
	Window int         `json:"W"`
	Tokens []string    `json:"tokens"`
	Layers []pageLayer `json:"layers"`
	Fact   [2]int      `json:"fact"` // tokens that are framed, from the first to behind the last
}

type pageLayer struct {
	Reads  []int        `json:"reads"`
	Before []int        `json:"before,omitzero"` // of layers whose cross-layer attention is triggered
	Notes  [][3]float64 `json:"notes"`           // position, importance, the window it left in or -1
}

// writePage writes one page that needs nothing else.
func (r *notesReport) writePage(path string) error {
	data := pageData{Window: r.Window, Tokens: r.pieces, Fact: r.fact}
	written, kept := 0, 0
	for _, layer := range r.Layers {
		p := pageLayer{Reads: layer.Reads, Before: layer.Before, Notes: [][3]float64{}}
		for _, n := range layer.Notes {
			left := -1.0
			if n.Left != nil {
				left = float64(*n.Left)
			}
			p.Notes = append(p.Notes, [3]float64{float64(n.Position), math.Round(1e4*float64(n.Importance)) / 1e4, left})
		}
		written += layer.Written
		kept += len(layer.kept())
		data.Layers = append(data.Layers, p)
	}
	s := r.settings
	facts := []string{
		counted(r.Tokens, "token"),
		counted(len(r.Layers), "layer"),
		fmt.Sprintf("%s of %d", counted(r.Windows, "window"), r.Window),
		fmt.Sprintf("%s written, %d kept", counted(written, "note"), kept),
		fmt.Sprintf("pools of %s, %s", s.PoolText(), s.Replacement),
		fmt.Sprintf("a note above %g, a read above %g", s.NoteThreshold, s.StateThreshold),
	}
	if s.Triggered() {
		facts = append(facts, fmt.Sprintf("layers before read above %g", s.LayerThreshold))
	}
	return writeFile(path, func(w io.Writer) error {
		return notesTemplate.Execute(w, map[string]any{
			"Model": r.Model, "CSS": template.CSS(notesCSS), "JS": template.JS(notesJS), "Data": data,
			"Facts": facts, "Triggered": s.Triggered(), "Fact": r.fact[1] > 0,
		})
	})
}
