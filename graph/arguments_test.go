package graph

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"
)

// TestArguments: numbers stand where the shader has them, whatever the order of the fields.
func TestArguments(t *testing.T) {
	type inner struct{ blocks, rows, width int }
	spec := struct {
		summary int
		own     any
		none    any
		lanes   uint32
	}{16, struct{ token, layer, reads, gate, triggered bool }{true, false, true, false, true}, nil, 4}
	push := struct {
		scale              float32
		keys, first, apart [2]int
		inner
		layer   [2]int
		Readers [2]uint32 `glsl:"readers"`
	}{0.25, [2]int{1, 2}, [2]int{3, 4}, [2]int{5, 6}, inner{11, 12, math.MaxUint32}, [2]int{9, 10}, [2]uint32{7, 8}}
	constants, block, err := encode("recall.f32.texel", spec, push)
	if err != nil {
		t.Fatal(err)
	}
	if want := []uint32{1, 0, 1, 0, 4, 16, 1}; !slices.Equal(constants, want) {
		t.Errorf("constants %v, want %v", constants, want)
	}
	var words []uint32
	for word := range slices.Chunk(block, 4) {
		words = append(words, binary.LittleEndian.Uint32(word))
	}
	if want := []uint32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, math.MaxUint32, math.Float32bits(0.25)}; !slices.Equal(words, want) {
		t.Errorf("push constants %v, want %v", words, want)
	}
}

// TestArgumentsOfVariants: a constant that a variant has no use for may be given.
func TestArgumentsOfVariants(t *testing.T) {
	for variant, want := range map[string][]uint32{"rmsnorm.texel": {0, 0, 0, 0, 2}, "rmsnorm.ssbo": nil} {
		if constants, _, err := encode(variant, normSpec{2}, normPush{}); err != nil || !slices.Equal(constants, want) {
			t.Errorf("%s: constants %v and %v, want %v", variant, constants, err, want)
		}
	}
}

func TestArgumentsRefuse(t *testing.T) {
	type widths struct{ channels, rank, width int }
	good := widths{1, 2, 3}
	for name, test := range map[string]struct {
		variant, want string
		spec, push    any
	}{
		"missing constant": {"scan_local.texel", "scan_local.texel: specialization constant PIECES is not given", struct{ n4 int }{4}, good},
		"no constants":     {"scan_local.texel", "scan_local.texel: specialization constant N4 is not given", nil, good},
		"extra constant": {"scan_local.texel", "scan_local.texel: specialization constant LANES is not known to the shader",
			struct{ n4, pieces, lanes int }{4, 1, 8}, good},
		"misspelled constant": {"rmsnorm.ssbo", "rmsnorm.ssbo: specialization constant LANE is not known to the shader", struct{ lane uint32 }{8}, normPush{}},
		"other's type":        {"rmsnorm.ssbo", "rmsnorm.ssbo: specialization constant LANES is not known to the shader", struct{ lanes bool }{}, normPush{}},
		"type of constant": {"scan_local.texel", "scan_local.texel: specialization constant N4 is of type uint, not float64",
			struct{ n4, pieces float64 }{}, good},
		"bool": {"life.ssbo", "life.ssbo: specialization constant PRIORITY is of type bool, not int",
			struct{ priority int }{}, nil},
		"missing member": {"scan_local.texel", "scan_local.texel: push constant width is not given", scanned, struct{ channels, rank int }{}},
		"extra member": {"scan_local.texel", "scan_local.texel: push constant depth is not known to the shader", scanned,
			struct {
				widths
				depth int
			}{good, 4}},
		"misspelled member": {"scan_local.texel", "scan_local.texel: push constant rank is not given", scanned, struct{ channels, ranks, width int }{}},
		"float for uint": {"scan_local.texel", "scan_local.texel: push constant rank is of type uint, not float64", scanned,
			struct {
				channels int
				rank     float64
				width    int
			}{}},
		"uint for float": {"rmsnorm.ssbo", "rmsnorm.ssbo: push constant scale is of type float, not int", nil,
			struct{ width, scale, eps, last int }{}},
		"negative":   {"scan_local.texel", "scan_local.texel: push constant rank is a uint, which -1 is not", scanned, widths{1, -1, 1}},
		"too large":  {"scan_local.texel", "push constant width is a uint, which 4294967296 is not", scanned, widths{1, 1, 1 << 32}},
		"int32":      {"scan_local.texel", "push constant channels is of type uint, not int32", scanned, struct{ channels int32 }{}},
		"array":      {"scan_local.texel", "push constant channels is uint[0], not [2]int", scanned, struct{ channels [2]int }{}},
		"no array":   {"recall.f32.ssbo", "push constant keys is uint[2], not int", recalled, struct{ keys int }{}},
		"long array": {"recall.f32.ssbo", "push constant keys is uint[2], not [3]int", recalled, struct{ keys [3]int }{}},
		"no struct":  {"scan_local.texel", "push constant structs are wanted, not []int", scanned, []int{1, 2, 3}},
		"twice": {"scan_local.texel", "push constant rank is given twice", scanned, struct {
			widths
			own any
		}{good, struct{ rank int }{1}}},
		"no variant": {"scan_local.fast", `shader "scan_local.fast" is not built in`, scanned, good},
	} {
		err := Check(test.variant, test.spec, test.push)
		if err == nil || !strings.HasSuffix(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	if err := Check("scan_local.texel", scanned, good); err != nil {
		t.Error(err)
	}
}

var (
	scanned  = struct{ n4, pieces int }{4, 1}
	recalled = struct {
		token, layer, reads, gate, triggered bool
		lanes, summary                       int
	}{}
)
