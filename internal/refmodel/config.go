package refmodel

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/mmrun/mmrun/internal/config"
)

// The model types.
const (
	Mamba       = "mamba"
	FalconMamba = "falcon_mamba"
	Mamba2      = "mamba2"
	MemMamba    = "memmamba"
)

// Config is what a config.json says of the arithmetic. Zero numbers that have a default take it
// when a model is loaded or written.
type Config struct {
	ModelType    string  `json:"model_type"`
	Vocab        int     `json:"vocab_size"`
	Hidden       int     `json:"hidden_size"`       // d
	Inner        int     `json:"intermediate_size"` // E, default expand·d
	Layers       int     `json:"num_hidden_layers"` // L
	State        int     `json:"state_size"`        // N
	Kernel       int     `json:"conv_kernel"`       // K
	Expand       float64 `json:"expand"`
	Rank         Rank    `json:"time_step_rank"` // R, default ceil(d/16)
	Epsilon      float64 `json:"layer_norm_epsilon"`
	MixerEpsilon float64 `json:"mixer_rms_eps"` // FalconMamba alone
	Bias         bool    `json:"use_bias"`
	ConvBias     bool    `json:"use_conv_bias"`
	Tied         bool    `json:"tie_word_embeddings"`
	*Heads               // of Mamba-2 mixers, otherwise nil
	*Memory              // of MemMamba models, otherwise nil
}

// Memory is what a MemMamba config.json says beyond that.
type Memory struct {
	Summary        int     `json:"memory_summary_dim"`     // S
	Pool           int     `json:"memory_pool_size"`       // P
	Growth         int     `json:"memory_pool_growth"`     // g
	Most           int     `json:"memory_pool_max"`        // default P
	Window         int     `json:"memory_window"`          // W
	NoteThreshold  float64 `json:"memory_note_threshold"`  // τ1
	StateThreshold float64 `json:"memory_state_threshold"` // τ2
	Replacement    string  `json:"memory_replacement"`     // "fifo" or "priority"
	Period         int     `json:"cross_layer_period"`     // p
	Pooling        string  `json:"cross_layer_pooling"`    // "concat", "mean" or "max"
	Trigger        string  `json:"cross_layer_trigger"`    // "period" or "state"
	LayerThreshold float64 `json:"cross_layer_threshold"`  // τ3
	Fusion         string  `json:"memory_fusion"`          // "residual" or "gated"
	Mixer          string  `json:"mixer_type"`             // what stands under the memory: a model type without
}

// Rank is a time-step rank, which a config.json may also give as "auto", read as 0.
type Rank int

// UnmarshalJSON reads a number or "auto".
func (r *Rank) UnmarshalJSON(data []byte) error {
	if string(data) == `"auto"` {
		*r = 0
		return nil
	}
	return json.Unmarshal(data, (*int)(r))
}

// Default returns the configuration of a config.json that holds nothing but the model type.
func Default(modelType string) Config {
	c := Config{ModelType: modelType, Vocab: 50280, Hidden: 768, Layers: 32, State: 16, Kernel: 4, Expand: 2,
		Epsilon: 1e-5, MixerEpsilon: 1e-6, ConvBias: true, Tied: true}
	if modelType == Mamba2 {
		c = c.withHeads()
		c.Vocab, c.Hidden, c.Layers, c.State, c.Tied = 32768, 4096, 64, 128, false
	}
	if modelType == MemMamba {
		c.Memory = &Memory{Summary: 64, Pool: 50, Window: 64, NoteThreshold: 0.5, StateThreshold: 0.5,
			Replacement: "fifo", Period: 4, Pooling: "concat", Trigger: "period", LayerThreshold: 0.5, Fusion: "residual", Mixer: Mamba}
	}
	return c
}

// ReadConfig reads the config.json of the model directory dir.
func ReadConfig(dir string) (Config, error) {
	path := filepath.Join(dir, "config.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		return Config{}, err
	}
	raw = config.Plain(raw)
	var kind struct {
		ModelType string `json:"model_type"`
		Mixer     string `json:"mixer_type"`
	}
	if err := json.Unmarshal(raw, &kind); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	c := Default(kind.ModelType)
	if kind.ModelType == MemMamba && kind.Mixer == Mamba2 {
		c = c.withHeads()
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	if c, err = c.complete(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// complete fills in what follows from other keys and checks the result.
func (c Config) complete() (Config, error) {
	if !slices.Contains([]string{Mamba, FalconMamba, Mamba2, MemMamba}, c.ModelType) {
		return c, fmt.Errorf("model_type %q is not known", c.ModelType)
	}
	if (c.Memory != nil) != (c.ModelType == MemMamba) {
		return c, fmt.Errorf("model_type %q and memory keys do not go together", c.ModelType)
	}
	if c.Inner == 0 {
		c.Inner = int(c.Expand * float64(c.Hidden))
	}
	if c.Rank == 0 {
		c.Rank = Rank((c.Hidden + 15) / 16)
	}
	sizes := map[string]int{"vocab_size": c.Vocab, "hidden_size": c.Hidden, "intermediate_size": c.Inner,
		"num_hidden_layers": c.Layers, "state_size": c.State, "conv_kernel": c.Kernel, "time_step_rank": int(c.Rank)}
	choices := map[string]bool{}
	if m := c.Memory; m != nil {
		own := *m
		if c.Memory, m = &own, &own; m.Most == 0 {
			m.Most = m.Pool
		}
		sizes["memory_summary_dim"], sizes["memory_pool_size"] = m.Summary, m.Pool
		sizes["memory_window"], sizes["cross_layer_period"] = m.Window, m.Period
		choices["memory_replacement"] = slices.Contains([]string{"fifo", "priority"}, m.Replacement)
		choices["cross_layer_pooling"] = slices.Contains([]string{"concat", "mean", "max"}, m.Pooling)
		choices["cross_layer_trigger"] = slices.Contains([]string{"period", "state"}, m.Trigger)
		choices["mixer_type"] = slices.Contains([]string{Mamba, FalconMamba, Mamba2}, m.Mixer)
		choices["memory_fusion"] = slices.Contains([]string{"residual", "gated"}, m.Fusion)
	}
	if m := c.Memory; m != nil && (m.Growth < 0 || m.Most < m.Pool) {
		return c, fmt.Errorf("memory_pool_growth %d, memory_pool_max %d with memory_pool_size %d", m.Growth, m.Most, m.Pool)
	}
	for key, n := range sizes {
		if n < 1 {
			return c, fmt.Errorf("%s is %d", key, n)
		}
	}
	for key, known := range choices {
		if !known {
			return c, fmt.Errorf("%s is not known", key)
		}
	}
	return c.completeHeads()
}

// mixer is the model type whose mixer the layers have.
func (c Config) mixer() string {
	if c.Memory != nil {
		return c.Mixer
	}
	return c.ModelType
}

// convolved is how many channels go through the convolution.
func (c Config) convolved() int {
	if c.Heads != nil {
		return c.Inner + 2*c.Groups*c.State
	}
	return c.Inner
}

// room is how many notes a pool has room for at the commit that begins a window.
func (m *Memory) room(window int64) int {
	if window < 1 {
		return m.Pool
	}
	return min(m.Most, m.Pool+m.Growth*int(math.Log2(float64(window))))
}

// CrossLayer reports whether layer l, counted from 0, attends to the layers before it.
func (c Config) CrossLayer(l int) bool { return c.Memory != nil && (l+1)%c.Period == 0 }

// Triggered reports whether layer l does so only in windows at whose start its state says so.
func (c Config) Triggered(l int) bool { return c.CrossLayer(l) && c.Trigger == "state" }

// Gated reports whether what is recalled goes through a gate.
func (c Config) Gated() bool { return c.Memory != nil && c.Fusion == "gated" }
