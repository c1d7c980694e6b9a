// Package memmamba has the models as their papers write them: Mamba (arXiv 2312.00752), FalconMamba (arXiv
// 2410.05355), MemMamba (arXiv 2510.03279), and to compare with, Transformers of GPT-NeoX's kind (arXiv 2204.06745).
// Each has its own file, with its configuration and the names of its tensors beside it, and registers itself
// with package engine, which runs it.
//
// Of what the MemMamba paper leaves open this is ours: the scorers of notes and states, windows of tokens, the
// bias ln I in the attention, how pools grow, and what triggers cross-layer attention.
package memmamba

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"reflect"

	"github.com/mmrun/mmrun/internal/config"
)

// The limits of what the kernels take.
const (
	maxWidth      = 1 << 17
	maxLayers     = 1 << 10
	maxVocabulary = 1 << 24
)

// absent stands for a key that is not in the file where its default follows from others or may be out of
// its own bounds.
const absent = math.MinInt

// Common is what a config.json says of models of every kind.
type Common struct {
	ModelType         string `json:"model_type"`
	VocabSize         int    `json:"vocab_size"`          // V, rows of the embedding
	HiddenSize        int    `json:"hidden_size"`         // d
	NumHiddenLayers   int    `json:"num_hidden_layers"`   // L
	TieWordEmbeddings bool   `json:"tie_word_embeddings"` // the head is the embedding
	HiddenAct         string `json:"hidden_act"`
	BOS               tokens `json:"bos_token_id"`
	EOS               tokens `json:"eos_token_id"`
}

// tokens is a token id, a list of them, or null.
type tokens []int32

func (t *tokens) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*t = nil
		return nil
	}
	if bytes.HasPrefix(data, []byte("[")) {
		return json.Unmarshal(data, (*[]int32)(t))
	}
	var one int32
	if err := json.Unmarshal(data, &one); err != nil {
		return err
	}
	*t = tokens{one}
	return nil
}

// jsonKeys are the keys of a struct in config.json.
func jsonKeys(of any) (keys []string) {
	for _, f := range reflect.VisibleFields(reflect.TypeOf(of)) {
		keys = append(keys, f.Tag.Get("json"))
	}
	return keys
}

// check checks the sizes and the activation.
func (c *Common) check(act string) error {
	if c.HiddenAct == "swish" { // Hugging Face's other name of it
		c.HiddenAct = "silu"
	}
	if c.HiddenAct != act {
		return fmt.Errorf("hidden_act %q is not supported (%s is)", c.HiddenAct, act)
	}
	return cmp.Or(
		config.Within("vocab_size", c.VocabSize, 1, maxVocabulary),
		config.Within("hidden_size", c.HiddenSize, 1, maxWidth),
		config.Within("num_hidden_layers", c.NumHiddenLayers, 1, maxLayers))
}
