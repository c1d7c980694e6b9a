package server_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/server"
)

// TestCopies: several copies of a model answer as one does, also from states that the others have left.
func TestCopies(t *testing.T) {
	model, opened := bundled(bundledName), 0
	open := model.Open
	model.Open = func() (*mmrun.Model, error) { opened++; return open() }
	model.Copies = func(m *mmrun.Model) int { return 2 }
	r, one := start(t, server.Options{Models: []server.Model{model}, MaxConcurrent: 3}), usual(t)
	body := func(i int) fields {
		return fields{"prompt": "It was a dark night" + strings.Repeat(" and", i), "max_tokens": 20, "seed": i}
	}
	for range 2 { // the second time from what the first has left
		var all sync.WaitGroup
		got := make([]string, 5)
		for i := range got {
			all.Go(func() { got[i] = r.text(body(i)) })
		}
		all.Wait()
		for i, text := range got {
			if want := one.text(body(i)); text != want {
				t.Errorf("%d copies: %q, want %q", opened, text, want)
			}
		}
	}
	if opened != 2 {
		t.Errorf("the model was opened %d times", opened)
	}
}
