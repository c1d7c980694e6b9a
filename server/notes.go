package server

import (
	"net/http"

	"github.com/mmrun/mmrun/memmamba"
	"github.com/mmrun/mmrun/tokenizer"
)

// noted is what a model wrote down of a session.
type noted struct {
	Object   string       `json:"object"`
	Position int64        `json:"position"` // tokens of the session
	Window   int          `json:"window"`   // tokens of one
	From     int64        `json:"from"`     // position of the first piece
	Pieces   []string     `json:"pieces"`   // the text that each of the last tokens completes
	Layers   []notedLayer `json:"layers"`
}

type notedLayer struct {
	Reads      bool        `json:"reads"`       // its own pool, in the window under way
	LayerReads bool        `json:"layer_reads"` // the pools of the layers before it
	Notes      []notedNote `json:"notes"`
}

type notedNote struct {
	Position   int64   `json:"position"`
	Importance float32 `json:"importance"`
}

// recentPieces is how many of the last tokens are told of.
const recentPieces = 4096

// sessionNotes answers GET /v1/sessions/{id}/notes.
func (s *Server) sessionNotes(w http.ResponseWriter, r *http.Request) error {
	v, err := s.loadSession(r.Context(), r.PathValue("id"), true)
	if err != nil {
		return err
	}
	return s.withModel(r, v.host.Name, func(o *opened) error {
		window := memmamba.MemoryWindow(o.model.Config())
		if window == 0 {
			return refuse(http.StatusNotFound, "not_found", "model %s writes no notes", shown([]byte(v.host.Name)))
		}
		state, err := o.model.NewState()
		if err != nil {
			return err
		}
		defer state.Close()
		if err := state.UnmarshalBinary(v.state.data); err != nil {
			return err
		}
		layers, err := memmamba.Memory(state)
		if err != nil {
			return err
		}
		ids := state.Recent(recentPieces)
		n := noted{Object: "notes", Position: state.Position(), Window: window, From: state.Position() - int64(len(ids)), Pieces: piecesOf(o.model.Tokenizer(), ids)}
		for _, layer := range layers {
			one := notedLayer{Reads: layer.Reads, LayerReads: layer.LayerReads, Notes: []notedNote{}}
			for _, note := range layer.Notes {
				one.Notes = append(one.Notes, notedNote{note.Position, note.Importance})
			}
			n.Layers = append(n.Layers, one)
		}
		writeJSON(w, http.StatusOK, n)
		return nil
	})
}

// piecesOf is the text that each token completes.
func piecesOf(tok *tokenizer.Tokenizer, ids []int32) []string {
	stream := tok.ContinueStream()
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = stream.Push(id)
	}
	return out
}
