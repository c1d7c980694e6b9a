package shaders

import (
	"encoding/binary"
	"os"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/internal/glsl"
)

// TestUpToDate fails when a .comp or an include changed and its SPIR-V did not. It needs no compiler.
func TestUpToDate(t *testing.T) {
	if err := glsl.Check(os.DirFS(".")); err != nil {
		t.Error(err)
	}
}

func TestEveryVariantIsEmbedded(t *testing.T) {
	variants, err := glsl.Variants(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, v := range variants {
		want = append(want, v.Name)
	}
	slices.Sort(want)
	if got := Names(); !slices.Equal(got, want) {
		t.Fatalf("embedded %v, declared %v", got, want)
	}
	const magic, version13 = 0x07230203, 0x00010300
	for _, name := range want {
		data, err := Load(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if len(data) < 20 || len(data)%4 != 0 {
			t.Errorf("%s: %d bytes are no SPIR-V", name, len(data))
			continue
		}
		if m, v := binary.LittleEndian.Uint32(data), binary.LittleEndian.Uint32(data[4:]); m != magic || v != version13 {
			t.Errorf("%s: magic %#x version %#x, want %#x %#x", name, m, v, magic, version13)
		}
	}
}

func TestLoadUnknown(t *testing.T) {
	const want = `shader "gemv.f31" is not built in`
	if data, err := Load("gemv.f31"); err == nil || err.Error() != want {
		t.Errorf("got %d bytes and %v, want the error %s", len(data), err, want)
	}
}
