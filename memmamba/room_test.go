package memmamba

import (
	"testing"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/ops/ref"
)

// TestRoom: the room of a pool in a window is what it is for the reference.
func TestRoom(t *testing.T) {
	for _, m := range []MemoryConfig{{PoolSize: 50, PoolMax: 50}, {PoolSize: 6, PoolGrowth: 5, PoolMax: 21}, {PoolSize: 1, PoolGrowth: 1, PoolMax: 256}} {
		room := ref.Room{First: m.PoolSize, Growth: m.PoolGrowth, Most: m.PoolMax}
		for _, w := range []int64{0, 1, 2, 3, 4, 7, 8, 9, 1023, 1024, 1 << 40} {
			if got, want := m.roomAt(w), room.At(w); got != want {
				t.Errorf("%+v: room for %d in window %d, want %d", m, got, w, want)
			}
		}
	}
	m := MemoryConfig{PoolSize: 6, PoolGrowth: 5, PoolMax: 21}
	for w, want := range map[int64]int{0: 6, 1: 6, 2: 11, 3: 11, 4: 16, 8: 21, 16: 21} {
		if got := m.roomAt(w); got != want {
			t.Errorf("room for %d in window %d, want %d", got, w, want)
		}
	}
}

// TestFullerThanItsRoom: a saved pool with more notes than its window has room for is refused.
func TestFullerThanItsRoom(t *testing.T) {
	c := &Config{Memory: defaultMemory()}
	c.NumHiddenLayers, c.Memory.Window = 1, 10
	c.Memory.PoolSize, c.Memory.PoolGrowth, c.Memory.PoolMax, c.Memory.Period = 2, 1, 4, 1
	half := []byte{0, 0, 0, 0x3f}
	for position, most := range map[int64]int{5: 2, 20: 2, 21: 3, 41: 4} {
		for notes := range 5 {
			saved := engine.SavedState{Position: position, Part: func(_ int, name string) []byte {
				data := make([]byte, 4*10)
				for i := range notes {
					if name == importancePart {
						copy(data[4*(3-i):], half)
					}
				}
				return data
			}}
			if err := c.CheckState(saved); (err == nil) != (notes <= most) {
				t.Errorf("%d notes after %d tokens, room for %d: %v", notes, position, most, err)
			}
		}
	}
}
