package vk

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

func TestReflect(t *testing.T) {
	for _, c := range []struct {
		shader   string
		spec     []uint32
		bindings []Binding
		push     int
		local    [3]uint32
		shared   int64
	}{
		{"axpy", nil, []Binding{{0, Storage, true, false}, {1, Storage, true, true}}, 8, [3]uint32{1, 1, 1}, 0},
		{"axpy", []uint32{64}, []Binding{{0, Storage, true, false}, {1, Storage, true, true}}, 8, [3]uint32{64, 1, 1}, 0},
		{"axpy13", []uint32{64}, []Binding{{0, Storage, true, false}, {1, Storage, true, true}}, 8, [3]uint32{64, 1, 1}, 0},
		{"axpy10", []uint32{32, 2}, []Binding{{0, Storage, true, false}, {1, Storage, true, true}}, 8, [3]uint32{32, 1, 1}, 0},
		{"texel", nil, []Binding{{0, TexelFloat, true, false}, {1, TexelUint, true, false}, {2, Storage, false, true}}, 0, [3]uint32{32, 1, 1}, 0},
		{"blocks", nil, []Binding{{1, Storage, true, true}, {3, Storage, true, true}, {7, Storage, true, false}}, 100, [3]uint32{4, 2, 1}, 16*3*16 + 12},
		{"blocks", []uint32{2, 8}, []Binding{{1, Storage, true, true}, {3, Storage, true, true}, {7, Storage, true, false}}, 100, [3]uint32{2, 2, 1}, 16*3*8 + 12},
	} {
		s, err := reflect(codeOf(t, c.shader), c.spec)
		if err != nil {
			t.Errorf("%s: %v", c.shader, err)
			continue
		}
		if !slices.Equal(s.bindings, c.bindings) || s.push != c.push || s.local != c.local || s.shared != c.shared {
			t.Errorf("%s with %v: bindings %v, push %d, local %v, shared %d; want %+v", c.shader, c.spec, s.bindings, s.push, s.local, s.shared, c)
		}
	}
}

func TestReflectRefuses(t *testing.T) {
	for shader, want := range map[string]string{
		"uniform": "binding 2 is a uniform buffer",
		"image":   "binding 0: only storage buffers",
		"set1":    "binding 0 is in set 1",
		"array":   "binding 1 is not one buffer",
		"itexel":  "only texels of rgba32f and rgba32ui",
		"wtexel":  "binding 0 is an image that may be written",
	} {
		if _, err := reflect(codeOf(t, shader), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", shader, err, want)
		}
	}
}

// TestReflectBroken cuts and changes a good module in every place: an answer or an error, no panic.
func TestReflectBroken(t *testing.T) {
	for _, shader := range []string{"axpy", "blocks"} {
		good := codeOf(t, shader)
		for n := range good {
			if _, err := reflect(good[:n], nil); err == nil && n < 20 {
				t.Errorf("%d bytes were taken", n)
			}
		}
		for i := 0; i < len(good); i += 4 {
			for _, v := range []uint32{0, 1, 0xffff, 0xffff0000, 0x7fffffff, 0xffffffff, 0x0001001e, 0x00050020} {
				bad := slices.Clone(good)
				binary.LittleEndian.PutUint32(bad[i:], v)
				reflect(bad, []uint32{1, 2, 3})
			}
		}
	}
	for _, bad := range [][]byte{nil, []byte("not a shader at all"), make([]byte, 20), make([]byte, 64)} {
		if _, err := reflect(bad, nil); err == nil {
			t.Errorf("%d bytes of nonsense were taken", len(bad))
		}
	}
}
