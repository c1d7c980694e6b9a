package gguf

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// An Architecture says how files hold models of a kind. Packages that have the models register it.
type Architecture struct {
	// Names are what general.architecture calls such models.
	Names []string

	// Config gives the keys of config.json that follow from the metadata, besides those of the vocabulary. Errors
	// are left with the metadata.
	Config func(f *Metadata) map[string]any

	// Naming says what a tensor is called in Hugging Face's files; a tensor of no name there keeps its own.
	Naming func(f *Metadata, tensor string) (Naming, bool)
}

// A Naming is a tensor's name in Hugging Face's files, and how the tensor is shaped there.
type Naming struct {
	Name    string
	Shaping Shaping
}

// A Shaping is how the axes and numbers of a file become those of Hugging Face's files.
type Shaping int

// The shapings. All of them have the slowest axis first, where the file has the fastest.
const (
	AsIs          Shaping = iota
	Taps                  // (E, K) becomes (E, 1, K), which is a convolution
	Flat                  // one axis
	Logarithm             // numbers a become log(-a), of which a = -exp(log(-a)) is made again
	FlatLogarithm         // both
)

var architectures = map[string]Architecture{}

// Register makes an architecture known. Packages call it when they are initialized.
func Register(a Architecture) {
	for _, name := range a.Names {
		if _, twice := architectures[name]; twice {
			panic("gguf: two architectures are called " + name)
		}
		architectures[name] = a
	}
}

// Layer takes the name of a layer's tensor apart: blk.N.X is X of layer N.
func Layer(name string) (n, x string, ok bool) {
	parts := strings.SplitN(name, ".", 3)
	if len(parts) < 3 || parts[0] != "blk" {
		return "", "", false
	}
	number, err := strconv.Atoi(parts[1])
	return parts[1], parts[2], err == nil && number >= 0 && strconv.Itoa(number) == parts[1]
}

const architectureKey = "general.architecture"

// Architecture is what the file calls the kind of its model.
func (f *Metadata) Architecture() string { return f.Text(architectureKey) }

// architecture finds the one of a file.
func (f *Metadata) architecture() (Architecture, error) {
	name := f.Architecture()
	a, ok := architectures[name]
	switch {
	case f.err != nil:
	case name == "":
		f.Fail(architectureKey, "is missing")
	case !ok:
		f.Fail(architectureKey, "%s is not known (%s are)", quote(name), strings.Join(slices.Sorted(maps.Keys(architectures)), ", "))
	}
	return a, f.err
}

// metadata reads those of the model.
func (m *model) metadata() *Metadata { return &Metadata{meta: m.meta, tensors: m.tensors} }

// article says what a value is one of.
func article(v value) string {
	if n, ok := v.whole(); ok {
		return fmt.Sprint(n)
	}
	return "a value"
}
