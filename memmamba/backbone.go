package memmamba

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/internal/config"
	"github.com/mmrun/mmrun/ops"
)

// A Backbone is what state-space models have around their mixers: an embedding, in every layer an RMSNorm, a
// mixer and a residual connection, a last norm and a head.
type Backbone struct {
	Common
	Epsilon float64 `json:"layer_norm_epsilon"` // of every RMSNorm
}

// Config is a state-space model as its config.json describes it: a backbone of layers with a mixer, and for
// MemMamba a memory.
type Config struct {
	Backbone
	Mixer  Mixer
	Memory *MemoryConfig // nil unless the model is a MemMamba
}

// A Mixer is the settings of what stands in every layer of a backbone.
type Mixer interface {
	// Inner are E and N: the sizes of the recurrent state h of a layer.
	Inner() (E, N int)

	// Describe is what inspect shows of it.
	Describe() []engine.Setting

	// sizes are those of what a layer carries, without padding.
	sizes() []engine.StateSize

	// cutTokens is engine.Cuttable's of a model of such layers.
	cutTokens() int

	// fading is how h fades, from the tensors of a layer.
	fading(prefix string, read func(name string) ([]float32, error)) (Fading, error)

	// parts are what a layer carries, among them h (E, N).
	parts(layer int) []engine.Part

	// load asks for the weights of a layer's mixer.
	load(l *engine.Loader, prefix string, b *Backbone) mixer
}

// A mixer is a Mixer with the weights of one layer.
type mixer interface {
	// add adds the mixer of norm(x) to the residual stream r (T, d); a norm without weight is none.
	add(p *engine.Pass, layer int, r, x graph.Value, norm ops.Norm)
}

// mixers are the kinds of mixers, by the model_type of a model that is nothing else. Each reads a backbone, too,
// whose defaults are its own.
var mixers = map[string]func(data []byte) (*Backbone, Mixer, error){}

// classes are the names that Hugging Face's library has for models, by their model_type.
var classes = map[string]string{"memmamba": "MemMambaForCausalLM"}

// registerMixer makes a kind of mixer known, and its models, whose class Hugging Face's library names.
func registerMixer(modelType, class string, read func(data []byte) (*Backbone, Mixer, error)) {
	mixers[modelType], classes[modelType] = read, class
	engine.Register(engine.Architecture{ModelTypes: []string{modelType}, Classes: []string{class}, Configure: func(data []byte) (engine.Config, error) {
		return configure(modelType, data)
	}})
}

// Mixers are the kinds of mixers there are, which a memory may stand over, sorted.
func Mixers() []string { return slices.Sorted(maps.Keys(mixers)) }

// configure reads the backbone and the mixers of a kind.
func configure(mixer string, data []byte) (*Config, error) {
	b, m, err := mixers[mixer](data)
	if err != nil {
		return nil, err
	}
	err = cmp.Or(b.check("silu"), config.Epsilon("layer_norm_epsilon", b.Epsilon))
	return &Config{Backbone: *b, Mixer: m}, err
}

// Sizes implements engine.Config.
func (c *Config) Sizes() engine.Sizes { return c.Common.sizes() }

func (c *Common) sizes() engine.Sizes {
	return engine.Sizes{ModelType: c.ModelType, Vocab: c.VocabSize, Hidden: c.HiddenSize, Layers: c.NumHiddenLayers, BOS: c.BOS, EOS: c.EOS}
}

// CutTokens implements engine.Cuttable. The passes of a memory over a mixer that takes tokens in groups begin anywhere.
func (c *Config) CutTokens() int {
	n := c.Mixer.cutTokens()
	if c.Memory != nil && n > 1 {
		return 0
	}
	return n
}

// Settings implements engine.Config.
func (c *Config) Settings() any { return c }

// Parts implements engine.Config.
func (c *Config) Parts() (parts []engine.Part) {
	for l := range c.NumHiddenLayers {
		parts = append(parts, c.Mixer.parts(l)...)
	}
	if c.Memory != nil {
		parts = append(parts, c.memoryParts()...)
	}
	return parts
}

// Load implements engine.Config.
func (c *Config) Load(l *engine.Loader) engine.Network {
	n := c.loadBackbone(l)
	if c.Memory == nil {
		return n
	}
	return c.loadMemory(l, n)
}

// A network is a backbone with its weights.
type network struct {
	ends   engine.Ends
	layers []layer
}

type layer struct {
	norm  ops.Norm
	mixer mixer
}

// layerName is how the names of a layer's tensors begin.
func layerName(l int) string { return fmt.Sprintf("backbone.layers.%d.", l) }

func (c *Config) loadBackbone(l *engine.Loader) *network {
	n := &network{}
	n.ends.Embeddings = l.Matrix("backbone.embeddings.weight", []int{c.VocabSize}, c.HiddenSize)
	n.ends.Norm = c.norm(l, "backbone.norm_f.weight")
	n.ends.Head = n.ends.Embeddings
	if !c.TieWordEmbeddings {
		n.ends.Head = l.Matrix("lm_head.weight", []int{c.VocabSize}, c.HiddenSize)
	}
	for i := range c.NumHiddenLayers {
		n.layers = append(n.layers, layer{c.norm(l, layerName(i)+"norm.weight"), c.Mixer.load(l, layerName(i)+"mixer.", &c.Backbone)})
	}
	return n
}

func (b *Backbone) norm(l *engine.Loader, name string) ops.Norm {
	return ops.Norm{Weight: l.Vector(name, b.HiddenSize), Width: b.HiddenSize, Eps: b.Epsilon}
}

// Ends implements engine.Network.
func (n *network) Ends() engine.Ends { return n.ends }

// Block takes the residual stream r (T, d) through layer l: r = r + mixer(RMSNorm(r)).
func (n *network) Block(p *engine.Pass, l int, r graph.Value) {
	x, norm := r, n.layers[l].norm
	if p.Tapped() {
		x, norm = n.normalized(p, l, r), ops.Norm{}
	}
	n.layers[l].mixer.add(p, l, r, x, norm)
}

// normalized is the residual stream after layer l's norm, apart.
func (n *network) normalized(p *engine.Pass, l int, r graph.Value) graph.Value {
	x, norm := ops.RMSNorm(p.Graph, r, n.layers[l].norm), n.layers[l].norm
	p.Tap(l, "x", x, 0, norm.Width)
	return x
}
