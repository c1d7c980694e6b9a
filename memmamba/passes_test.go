package memmamba

import (
	"testing"

	"github.com/mmrun/mmrun/engine"
)

// TestPassesFit: the tables of a pass through many windows are bounded, whatever the model and the chunk.
func TestPassesFit(t *testing.T) {
	for _, pooling := range []string{"concat", "mean", "max"} {
		for _, size := range []struct{ L, P, S, W int }{{4, 10, 16, 8}, {64, 256, 256, 1}, {64, 256, 256, 1024}, {24, 50, 64, 1}} {
			c := Config{Memory: defaultMemory()}
			c.NumHiddenLayers = size.L
			c.Memory.PoolMax, c.Memory.SummaryDim, c.Memory.Window = size.P, size.S, size.W
			c.Memory.Period, c.Memory.Pooling, c.Memory.StateThreshold = 4, pooling, 0
			m, n := c.memoryState(), c.PassTokens(engine.MaxChunk)
			windows := (n+m.W-2)/m.W + 1
			for what, bytes := range map[string]int{
				"log":   4 * m.L * (m.P + m.W + n) * m.S,
				"pools": 4 * m.L * m.P * windows,
				"keys":  map[bool]int{true: 8 * m.P * windows * m.S}[pooling != "concat"],
			} {
				// A layer's old notes are there whatever the pass, even if they fill the room.
				if n < 1 || n > engine.MaxChunk || bytes > passBytes+4*m.L*(m.P+m.W+1)*m.S {
					t.Errorf("%s, L %d, P %d, S %d, W %d: %d tokens and %d bytes of %s", pooling, m.L, m.P, m.S, m.W, n, bytes, what)
				}
			}
		}
	}
}

// TestPassesEndWithWindows: where reads depend on the recurrent state no pass is longer than a window, and without
// a memory a pass is as long as its chunk.
func TestPassesEndWithWindows(t *testing.T) {
	c := Config{Memory: defaultMemory()}
	c.NumHiddenLayers, c.Memory.Period, c.Memory.Window = 4, 4, 48
	if long, short := c.PassTokens(512), c.PassTokens(7); long != 48 || short != 7 {
		t.Errorf("passes of %d and %d tokens, want 48 and 7", long, short)
	}
	c.Memory = nil
	if n := c.PassTokens(512); n != 512 {
		t.Errorf("passes of %d tokens without a memory", n)
	}
}

// TestTransformerPasses: no pass needs too large a table, nor at the end of a long sequence too much work.
func TestTransformerPasses(t *testing.T) {
	for _, test := range []struct{ d, heads, layers, positions, table, end int }{
		{64, 1, 24, 65536, 512, 2730}, {2560, 32, 32, 2048, 512, 1638}, {4096, 32, 48, 1 << 17, 248, 16}, {2048, 16, 24, 1 << 20, 62, 16},
	} {
		c := Transformer{Common: Common{HiddenSize: test.d, NumHiddenLayers: test.layers}, Heads: test.heads, MaxPositions: test.positions}
		if table, end := c.PassTokens(512), c.TokensAt(int64(test.positions-1)); table != test.table || end != test.end || c.TokensAt(0) < 512 {
			t.Errorf("%+v: %d tokens, %d at the end, %d at the beginning", test, table, end, c.TokensAt(0))
		}
	}
}
