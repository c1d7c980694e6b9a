package house

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mmrun/mmrun"

// layers says what a package may import of this module besides itself: everything goes down, and
// the engine's parts know nothing of those above them. The longest prefix counts.
var layers = map[string][]string{
	"shaders":                {},
	"vk":                     {"internal/spirv"},
	"vk/testlayer":           {},
	"models":                 {},
	"graph":                  {"vk", "shaders", "internal"},
	"ops/ref":                {},
	"quant":                  {},
	"checkpoint":             {"quant"},
	"checkpoint/safetensors": {"checkpoint", "quant", "internal/config", "internal/replace"},
	"checkpoint/pytorch":     {"checkpoint", "quant"},
	"checkpoint/gguf":        {"checkpoint", "quant", "tokenizer"},
	"hub":                    {},
	"tokenizer":              {"internal/infile"},
	"chat":                   {"tokenizer"},
	"sample":                 {},
	"grammar":                {"sample"},
	"ops":                    {"quant", "graph", "vk", "shaders"},
	"ops/check":              {"ops", "ops/ref", "graph", "vk", "shaders"},
	"engine":                 {"ops/check", "checkpoint", "quant", "sample", "ops", "graph", "vk", "internal/config"},
	"engine/probe":           {"engine", "quant", "ops", "graph", "vk"},
	"memmamba":               {"checkpoint", "checkpoint/gguf", "engine", "ops", "graph", "internal/config"},
	"":                       {"memmamba", "engine", "checkpoint", "checkpoint/gguf", "checkpoint/safetensors", "checkpoint/pytorch", "tokenizer", "sample", "grammar", "vk"},
	"server/store":           {},
	"server/store/remote":    {"server/store"},
	"server":                 {"server/store", "", "internal/infile", "memmamba", "grammar", "engine", "tokenizer", "sample", "chat"},
	"cmd/mmrun":              {"", "ops/check", "testdata", "grammar", "hub", "server", "server/store/remote", "memmamba", "engine", "engine/probe", "checkpoint", "checkpoint/safetensors", "checkpoint/pytorch", "checkpoint/gguf", "quant", "vk", "models", "tokenizer", "chat", "sample", "internal"},
	"internal":               {"internal", "checkpoint", "checkpoint/safetensors", "quant", "tokenizer"},
	"tools":                  {"vk/testlayer", "checkpoint", "checkpoint/safetensors", "quant", "internal"},
	"tools/load":             {"", "engine", "sample"},
}

// forTests is what a package's tests may import on top of that.
var forTests = map[string][]string{
	"ops":                    {"ops/ref"},
	"ops/ref":                {"internal", "checkpoint", "checkpoint/safetensors"},
	"engine":                 {"vk/testlayer", "testdata", "memmamba", "checkpoint", "checkpoint/safetensors", "engine/probe", "internal", "ops/ref", "models"},
	"engine/probe":           {"memmamba", "checkpoint", "checkpoint/safetensors", "internal"},
	"memmamba":               {"checkpoint/safetensors", "internal", "ops/ref", "quant"},
	"models":                 {"", "checkpoint", "checkpoint/safetensors", "engine", "memmamba", "tokenizer", "internal"},
	"shaders":                {"internal/glsl"},
	"":                       {"models", "internal"},
	"checkpoint":             {"checkpoint/safetensors", "internal"},
	"checkpoint/gguf":        {"internal"},
	"checkpoint/pytorch":     {"internal"},
	"tokenizer":              {"internal"},
	"chat":                   {"internal"},
	"grammar":                {"internal"},
	"checkpoint/safetensors": {"internal"},
	"cmd/mmrun":              {"ops", "graph", "shaders", "tools"},
	"tools":                  {"memmamba", "engine"},
	"tools/load":             {"models"},
}

// outside are imports that only the packages named may have.
var outside = map[string][]string{
	"unsafe":                     {"vk"},
	"C":                          {"vk"},
	"github.com/goki/vulkan":     {"vk"},
	"github.com/urfave/cli/v2":   {"cmd/mmrun"},
	"github.com/dlclark/regexp2": {"tokenizer"},
	"github.com/rivo/uniseg":     {"tokenizer"},

	"github.com/santhosh-tekuri/jsonschema/v6": {"grammar"},
}

type goPackage struct {
	ImportPath, Dir                    string
	GoFiles                            []string
	Imports, TestImports, XTestImports []string
}

// packages lists the module's packages by their path inside it.
func packages(t *testing.T) map[string]goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, said.String())
	}
	all := map[string]goPackage{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		all[inside(p.ImportPath)] = p
	}
	if len(all) == 0 {
		t.Fatal("go list found no package")
	}
	return all
}

// inside is the path below the module, "" for the module itself.
func inside(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, module), "/") }

// below reports whether path is one of the prefixes or lies below one; below the module's own package, "", is
// only that itself.
func below(path string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return path == p || p != "" && strings.HasPrefix(path, p+"/") })
}

// layer finds the entry of layers that speaks for a package.
func layer(path string) (name string, ok bool) {
	for prefix := range layers {
		if below(path, []string{prefix}) && (!ok || len(prefix) > len(name)) {
			name, ok = prefix, true
		}
	}
	return name, ok
}

// mayImport reports why a package of this module may not have an import, "" when it may.
func mayImport(path, imported string, test bool) string {
	name, ok := layer(path)
	if !ok {
		return "no layer is set for this package"
	}
	if only, ok := outside[imported]; ok && !below(path, only) {
		return "only " + strings.Join(only, ", ") + " may import " + imported
	}
	if imported != module && !strings.HasPrefix(imported, module+"/") {
		return ""
	}
	imported = inside(imported)
	allowed := slices.Concat([]string{path}, layers[name])
	if test {
		allowed = slices.Concat(allowed, forTests[name])
	}
	// Some packages lie below another and are no part of it: who may import them names them.
	apart := []string{"ops/ref", "engine/probe", "checkpoint/safetensors", "checkpoint/gguf"}
	if below(imported, allowed) && (!slices.Contains(apart, imported) || slices.Contains(allowed, imported)) {
		return ""
	}
	return name + " may not import " + imported
}

func TestImportsGoOneWay(t *testing.T) {
	for path, p := range packages(t) {
		for _, imported := range p.Imports {
			if why := mayImport(path, imported, false); why != "" {
				t.Errorf("%s: %s", path, why)
			}
		}
		for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
			if why := mayImport(path, imported, true); why != "" {
				t.Errorf("%s: tests: %s", path, why)
			}
		}
	}
}

// TestMayImport holds the rule above to what the layout says.
func TestMayImport(t *testing.T) {
	tests := []struct {
		path, imported string
		test, ok       bool
	}{
		{"graph", module + "/vk", false, true},
		{"vk", module + "/graph", false, false},
		{"graph", module + "/ops", false, false},
		{"ops", module + "/memmamba", false, false},
		{"ops", module + "/ops/ref", false, false},
		{"ops", module + "/ops/ref", true, true},
		{"ops/ref", module + "/graph", false, false},
		{"sample", module + "/vk", false, false},
		{"memmamba", module + "/engine", false, true},
		{"engine", module + "/memmamba", false, false},
		{"engine", module + "/engine/probe", false, false},
		{"engine", module, false, false},
		{"checkpoint", module + "/engine", false, false},
		{"", module + "/memmamba", false, true},
		{"cmd/mmrun", module, false, true},
		{"memmamba", "unsafe", false, false},
		{"vk", "unsafe", false, true},
		{"ops", "github.com/goki/vulkan", true, false},
		{"stray", "fmt", false, false},
	}
	for _, test := range tests {
		if why := mayImport(test.path, test.imported, test.test); (why == "") != test.ok {
			t.Errorf("%s imports %s, in a test %v: got %q, want allowed %v", test.path, test.imported, test.test, why, test.ok)
		}
	}
}
