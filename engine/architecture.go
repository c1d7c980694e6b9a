package engine

import (
	"fmt"
	"maps"
	"slices"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/internal/config"
	"github.com/mmrun/mmrun/ops"
)

// An Architecture is a kind of model. It registers itself, as the drivers of database/sql do, and a program
// that imports its package can open such models.
type Architecture struct {
	// ModelTypes are the values of model_type in config.json.
	ModelTypes []string

	// Classes are the names under architectures in config.json, which count where it has no model_type.
	Classes []string

	// Configure reads a config.json. Errors name the field.
	Configure func(config []byte) (Config, error)
}

// A Config is a model as its config.json describes it, before any weight is read.
type Config interface {
	// Sizes are those that every model has.
	Sizes() Sizes

	// Settings are all that makes the model what it is, as a value that encoding/json writes: saved states
	// belong to models of equal settings and weights.
	Settings() any

	// Parts are what a sequence carries, layer by layer and then what layers share.
	Parts() []Part

	// Load gives every tensor its place on the device. The loader keeps the first error.
	Load(l *Loader) Network
}

// Sizes are what every model has.
type Sizes struct {
	ModelType string
	Vocab     int     // V, rows of the embedding
	Hidden    int     // d
	Layers    int     // L
	MaxTokens int64   // of a sequence; 0 where nothing but the width of positions bounds it
	BOS, EOS  []int32 // tokens that begin and end a text
}

// A Network is a model with its weights: what a pass is made of.
type Network interface {
	// Ends are what comes before the first block and after the last.
	Ends() Ends

	// Block takes the residual stream r (T, d) through layer l and replaces it.
	Block(p *Pass, l int, r graph.Value)
}

// Ends are the matrices at a network's ends.
type Ends struct {
	Embeddings ops.Weight // (V, d)
	Norm       ops.Norm   // before the head
	Head       ops.Weight // (V, d), the embeddings when tied
}

// A Part is one of what a sequence carries, of 32-bit numbers: Rows × Cols of them, or with Grows as many
// rows as the sequence has tokens.
type Part struct {
	Layer      int // that it belongs to, or Shared
	Name       string
	Rows, Cols int
	Grows      bool
	Derived    bool // it follows from other parts: Windowed.Restore makes it, and it is not saved
}

// Shared is the layer of what belongs to no layer alone.
const Shared = -1

// Windowed is a Network that does something every so many tokens: at the first token of every window but the
// first of a sequence, before any block sees it.
type Windowed interface {
	Network

	// Window is W, the tokens of a window, and whether a pass may go through several: otherwise it ends
	// with its window.
	Window() (tokens int, across bool)

	// Begin adds what is due at a window's first token, for one token of each of several sequences.
	Begin(p *Pass)

	// Open and Close add what a pass through several windows needs before the first block and after the
	// last.
	Open(p *Pass)
	Close(p *Pass)

	// Restore adds what makes the derived parts of a state from the others.
	Restore(p *Pass)
}

// Bounded is a Config whose passes are bounded by more than the chunk.
type Bounded interface {
	// PassTokens is for how many tokens a pass is planned, chunk at the most.
	PassTokens(chunk int) int

	// TokensAt is how many tokens a pass may have that begins at a position.
	TokensAt(position int64) int
}

// Cuttable is a Config whose prompts may be cut.
type Cuttable interface {
	// CutTokens is of how many tokens, or a multiple, a pass may be, on a software device, without changing a bit of
	// what follows; 0 is that every cut does.
	CutTokens() int
}

// Checked is a Config that can tell whether the parts of a saved state are what kernels rely on.
type Checked interface {
	CheckState(s SavedState) error
}

// SavedState is what a Checked config looks at: the numbers of a part, and how many tokens the sequence has.
type SavedState struct {
	Position int64
	Part     func(layer int, name string) []byte
}

var architectures = map[string]Architecture{}

// Register makes an architecture known. It panics when a model_type is known already: two packages claim it.
func Register(a Architecture) {
	for _, name := range a.ModelTypes {
		if _, ok := architectures[name]; ok {
			panic(fmt.Sprintf("engine: model_type %q is registered twice", name))
		}
		architectures[name] = a
	}
}

// ModelTypes are the model types of all registered architectures, sorted.
func ModelTypes() []string { return slices.Sorted(maps.Keys(architectures)) }

// ParseConfig reads a config.json in whatever form; name is its file in errors, which also name the field.
func ParseConfig(name string, data []byte) (Config, error) {
	c, err := parseConfig(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

func parseConfig(data []byte) (Config, error) {
	data, err := rewritten(data)
	if err != nil {
		return nil, err
	}
	kind, err := modelType(data)
	if err != nil {
		return nil, err
	}
	a, ok := architectures[kind]
	switch {
	case kind == "":
		return nil, fmt.Errorf("model_type is missing (%s are known)", knownTypes())
	case !ok:
		return nil, fmt.Errorf("model_type %q is not known (%s are)", kind, knownTypes())
	}
	return a.Configure(data)
}

// modelType reads model_type.
func modelType(data []byte) (string, error) {
	var c struct {
		ModelType string `json:"model_type"`
	}
	err := config.Decode(data, &c)
	return c.ModelType, err
}

// Described is a Config that tells people more of itself than its sizes.
type Described interface {
	Describe() Description
}

// A Description is what inspect shows of a model.
type Description struct {
	Settings []Setting   // of the architecture
	Sections []Section   // what else there is, such as a memory
	State    []StateSize // what a sequence carries
}

// A Setting is one number or word of a config.json.
type Setting struct {
	Key   string // in config.json
	Text  string // for people, such as "N 16"
	Value any
}

// A Section is a group of settings under a key of its own.
type Section struct {
	Key   string
	Value any      // as encoding/json writes it
	Lines []string // for people
}

// StateSize is the size of a kind of parts of a sequence's state, without padding.
type StateSize struct {
	Key, Text string
	Bytes     int64
	Token     bool // Bytes are of every token
}

// Recorded is a Config whose sequences leave more than logits, such as the notes of a memory: golden files have
// it, too.
type Recorded interface {
	// Records are the names of what there is.
	Records() []string

	// Record follows a sequence from here on. The function it returns tells after the last token what there is.
	Record(s *State) func() ([]Record, error)
}

// A Record is something that a sequence left, as a tensor of whole numbers or of floats.
type Record struct {
	Name   string
	Shape  []int
	Axes   []string // what each axis counts, in the singular, such as "window"
	Ints   []int32
	Floats []float32
}
