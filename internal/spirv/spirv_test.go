package spirv

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"
)

func read(t *testing.T, file string) []byte {
	t.Helper()
	code, err := os.ReadFile("../../" + file)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// assembled is a module of instructions.
func assembled(instructions ...[]uint32) []byte {
	words := []uint32{magic, 0x00010300, 0, 100, 0}
	for _, i := range instructions {
		words = append(append(words, uint32(len(i))<<16|i[0]), i[1:]...)
	}
	var code []byte
	for _, w := range words {
		code = binary.LittleEndian.AppendUint32(code, w)
	}
	return code
}

func named(op uint32, name string, ids ...uint32) []uint32 {
	i := append([]uint32{op}, ids...)
	data := append([]byte(name), make([]byte, 4-len(name)%4)...)
	for word := range slices.Chunk(data, 4) {
		i = append(i, binary.LittleEndian.Uint32(word))
	}
	return i
}

// shader is a module with a constant, and push constants { float a; uint b[3]; }, and what debuggers want.
func shader() [][]uint32 {
	return [][]uint32{
		named(opString, "x.comp", 90), {opSource, 2, 450, 90}, named(opSourceExtension, "GL_X"),
		named(opName, "main", 1), named(opName, "LANES", 5), named(opName, "Push", 8),
		named(opMemberName, "a", 8, 0), named(opMemberName, "b", 8, 1), named(opMemberName, "tokens", 70, 0),
		named(opModuleProcessed, "client vulkan100"),
		{opDecorate, 5, decSpecID, 4}, {opDecorate, 6, decSpecID, 4}, {opDecorate, 7, decArrayStride, 16},
		{opMemberDecorate, 8, 0, decOffset, 0}, {opMemberDecorate, 8, 1, decOffset, 16},
		{opTypeFloat, 2, 32}, {opTypeInt, 3, 32, 0}, {opSpecConstant, 3, 6, 8}, {opSpecConstant, 3, 5, 8}, {opConstant, 3, 4, 3},
		{opTypeArray, 7, 3, 4}, {opTypeStruct, 8, 2, 7}, {opTypePointer, 9, classPushConstant, 8}, {opVariable, 9, 10, classPushConstant},
		{opLine, 90, 1, 2}, {opNoLine},
	}
}

func TestReadArguments(t *testing.T) {
	a, err := ReadArguments(assembled(shader()...))
	if err != nil {
		t.Fatal(err)
	}
	if want := []Constant{{4, "LANES", Uint}}; !slices.Equal(a.Constants, want) {
		t.Errorf("constants %v, want %v", a.Constants, want)
	}
	if want := []Member{{"a", Float, 0, 0, 0}, {"b", Uint, 16, 16, 3}}; !slices.Equal(a.Push, want) {
		t.Errorf("push constants %v, want %v", a.Push, want)
	}
}

// TestSlim: what is there for debuggers goes, except for the names of arguments.
func TestSlim(t *testing.T) {
	all := shader()
	slim, err := Slim(assembled(all...))
	if err != nil {
		t.Fatal(err)
	}
	kept := slices.DeleteFunc(all, func(i []uint32) bool {
		other := i[0] == opName && i[1] != 5 || i[0] == opMemberName && i[1] != 8
		return other || slices.Contains([]uint32{opString, opSource, opSourceExtension, opModuleProcessed, opLine, opNoLine}, i[0])
	})
	if want := assembled(kept...); !bytes.Equal(slim, want) {
		t.Errorf("%d bytes are left, want %d", len(slim), len(want))
	}
	if again, err := Slim(slim); err != nil || !bytes.Equal(again, slim) {
		t.Errorf("a slim module got slimmer: %v", err)
	}
}

func TestReadArgumentsRefuses(t *testing.T) {
	for want, change := range map[string]func(all [][]uint32) [][]uint32{
		"specialization constant 4 has no name":                         func(all [][]uint32) [][]uint32 { return slices.Delete(all, 4, 5) },
		"specialization constant 4 is no uint, int, float or bool":      func(all [][]uint32) [][]uint32 { all[16][2] = 64; return all },
		"specialization constant 4 is declared twice":                   func(all [][]uint32) [][]uint32 { return append(all, named(opName, "OTHER", 6)) },
		`push constant 0 ("") has no name or offset`:                    func(all [][]uint32) [][]uint32 { return slices.Delete(all, 6, 7) },
		`push constant 1 ("b") has no name or offset`:                   func(all [][]uint32) [][]uint32 { return slices.Delete(all, 14, 15) },
		"push constant b is an array of 3 numbers of 0 bytes":           func(all [][]uint32) [][]uint32 { return slices.Delete(all, 12, 13) },
		"push constant b is an array of 4294967295 numbers of 16 bytes": func(all [][]uint32) [][]uint32 { all[19][3] = 1<<32 - 1; return all },
		"push constant a is no uint, int or float":                      func(all [][]uint32) [][]uint32 { all[15] = []uint32{opTypeBool, 2}; return all },
		"opcode 21 has 1 operands, want 3":                              func(all [][]uint32) [][]uint32 { all[16] = all[16][:2]; return all },
	} {
		if _, err := ReadArguments(assembled(change(shader())...)); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := ReadArguments(read(t, "vk/testdata/axpy.spv")); err == nil || !strings.Contains(err.Error(), "has no name") {
		t.Errorf("a module without names: %v", err)
	}
}

// TestBroken cuts and changes a good module in every place: an answer or an error, no panic.
func TestBroken(t *testing.T) {
	good := assembled(shader()...)
	for n := range good {
		ReadArguments(good[:n])
		if _, err := Slim(good[:n]); err == nil && n < 4*header {
			t.Errorf("%d bytes were taken", n)
		}
	}
	for i := 0; i < len(good); i += 4 {
		for _, v := range []uint32{0, 1, 0xffff, 0xffff0000, 0x7fffffff, 0xffffffff, 0x0001001e, 0x00050020, 0x00010005, 0x00020006} {
			bad := slices.Clone(good)
			binary.LittleEndian.PutUint32(bad[i:], v)
			ReadArguments(bad)
			Slim(bad)
		}
	}
}

// TestModules: what is built in has nothing for debuggers in it.
func TestModules(t *testing.T) {
	for _, name := range []string{"gemv.f32.texel", "recall.q8.subgroup", "topk.ssbo", "segnorm"} {
		code := read(t, "shaders/spv/"+name+".spv")
		if slim, err := Slim(code); err != nil || !bytes.Equal(slim, code) {
			t.Errorf("%s: %d bytes of %d are for debuggers, %v", name, len(code)-len(slim), len(code), err)
		}
	}
}
