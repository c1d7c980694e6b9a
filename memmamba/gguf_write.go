package memmamba

import (
	"math"
	"strings"

	"github.com/mmrun/mmrun/checkpoint/gguf"
)

// ggufKinds are what a GGUF file calls the kind of a model, and the model_type of what stands in its layers.
func (c *Config) ggufKinds() (arch, mixer string) {
	mixer = c.Sizes().ModelType
	if c.Memory != nil {
		return "memmamba", c.Memory.MixerType
	}
	if mixer == "falcon_mamba" {
		return "mamba", mixer
	}
	return mixer, mixer
}

// GGUFHeader is what the metadata of a GGUF file say of the model besides its vocabulary, the kind of the model first.
func (c *Config) GGUFHeader() (arch string, all []gguf.Entry) {
	arch, mixer := c.ggufKinds()
	all = []gguf.Entry{{Key: "general.architecture", Value: arch}}
	put := func(key string, value any) { all = append(all, gguf.Entry{Key: arch + "." + key, Value: value}) }
	put("context_length", uint32(1<<20))
	put("embedding_length", uint32(c.HiddenSize))
	put("feed_forward_length", uint32(0))
	put("attention.head_count", uint32(0))
	put("block_count", uint32(c.NumHiddenLayers))
	put("vocab_size", uint32(c.VocabSize))
	put("attention.layer_norm_rms_epsilon", float32(c.Epsilon))
	switch m := c.Mixer.(type) {
	case *Mamba:
		put("ssm.conv_kernel", uint32(m.ConvKernel))
		put("ssm.inner_size", uint32(m.IntermediateSize))
		put("ssm.state_size", uint32(m.StateSize))
		put("ssm.time_step_rank", uint32(m.TimeStepRank))
		put("ssm.dt_b_c_rms", m.norms)
		if m.norms && m.MixerRMSEps != 1e-6 {
			put("ssm.dt_b_c_rms_epsilon", float32(m.MixerRMSEps))
		}
	case *Mamba2:
		put("ssm.conv_kernel", uint32(m.ConvKernel))
		put("ssm.inner_size", uint32(m.Heads*m.HeadDim))
		put("ssm.state_size", uint32(m.StateSize))
		put("ssm.time_step_rank", uint32(m.Heads))
		put("ssm.group_count", uint32(m.Groups))
		if m.NormGroups != m.Groups {
			put("ssm.norm_groups", uint32(m.NormGroups))
		}
		if m.Limit != (limit{0, math.Inf(1)}) {
			put("ssm.time_step_limit", []float32{float32(m.Limit[0]), float32(m.Limit[1])})
		}
	}
	if c.Memory == nil {
		return arch, all
	}
	put("mixer_type", mixer)
	for _, e := range c.Memory.ggufEntries() {
		put(e.Key, e.Value)
	}
	return arch, all
}

// ggufEntries are the settings of a memory, with the keys of ggufMemory. Thresholds keep all their digits: a score is
// held against them.
func (m *MemoryConfig) ggufEntries() []gguf.Entry {
	return []gguf.Entry{
		{Key: "memory.summary_dim", Value: uint32(m.SummaryDim)}, {Key: "memory.pool_size", Value: uint32(m.PoolSize)},
		{Key: "memory.pool_growth", Value: uint32(m.PoolGrowth)}, {Key: "memory.pool_max", Value: uint32(m.PoolMax)},
		{Key: "memory.window", Value: uint32(m.Window)}, {Key: "memory.replacement", Value: m.Replacement},
		{Key: "memory.fusion", Value: m.Fusion},
		{Key: "memory.note_threshold", Value: m.NoteThreshold}, {Key: "memory.state_threshold", Value: m.StateThreshold},
		{Key: "memory.cross_layer_period", Value: uint32(m.Period)}, {Key: "memory.cross_layer_pooling", Value: m.Pooling},
		{Key: "memory.cross_layer_trigger", Value: m.Trigger}, {Key: "memory.cross_layer_threshold", Value: m.LayerThreshold},
	}
}

// GGUFTensor is what a GGUF file calls a tensor of Hugging Face's name and shape, the shape that it has there, and how its
// numbers differ; false for a tensor that such files have no name for.
func (c *Config) GGUFTensor(name string, shape []int) (as gguf.Naming, there []int, ok bool) {
	for to, from := range ggufEnds {
		if from == name {
			return gguf.Naming{Name: to}, shape, true
		}
	}
	parts := strings.SplitN(strings.TrimPrefix(name, "backbone.layers."), ".", 2)
	if len(parts) < 2 || !strings.HasPrefix(name, "backbone.layers.") {
		return gguf.Naming{}, nil, false
	}
	_, mixer := c.ggufKinds()
	as, ok = ggufNamed(parts[1], mixer == "mamba2")
	as.Name = "blk." + parts[0] + "." + as.Name
	there = shape
	heads, isHeads := c.Mixer.(*Mamba2)
	switch {
	case as.Shaping == gguf.Taps && len(shape) == 3:
		there = []int{shape[0], shape[2]}
	case isHeads && parts[1] == "mixer.norm.weight":
		there = []int{heads.Groups, shape[0] / heads.Groups}
	case isHeads && (as.Shaping == gguf.Flat || as.Shaping == gguf.FlatLogarithm):
		there = []int{shape[0], 1}
	}
	return as, there, ok
}

// ggufNamed is what follows blk.N. for what follows backbone.layers.N. in Hugging Face's names.
func ggufNamed(name string, heads bool) (gguf.Naming, bool) {
	tables := []map[string]gguf.Naming{ggufLayer}
	if heads {
		tables = []map[string]gguf.Naming{ggufOfHeads, ggufLayer}
	}
	for _, table := range tables {
		for to, from := range table {
			if from.Name == name {
				return gguf.Naming{Name: to, Shaping: from.Shaping}, true
			}
		}
	}
	for _, part := range ggufParts {
		if end, has := strings.CutPrefix(name, part[1]); has {
			return gguf.Naming{Name: part[0] + end}, true
		}
	}
	return gguf.Naming{}, false
}
