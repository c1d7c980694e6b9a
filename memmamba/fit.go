package memmamba

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/engine"
)

const (
	ownPrefix      = "backbone."
	embeddingsName = "embeddings.weight"
	headName       = "lm_head.weight"
)

// prefixes stand in files in place of backbone.
var prefixes = []string{ownPrefix, "model.backbone.", "model.", ""}

// Fit implements engine.Fitting: files may have another prefix, or none; embedding for embeddings; convolutions as MLX
// lays them out; and a head of their own beside embeddings that config.json calls tied.
func (c *Config) Fit(files *checkpoint.Tensors) (engine.Fit, error) {
	fit := engine.Fit{Tensors: files}
	names := ownNames(files)
	var all []checkpoint.Tensor
	changed := false
	for _, name := range files.Names() {
		t, _ := files.Tensor(name)
		if own, ok := names[name]; ok {
			t.Name, changed = own, changed || own != name
		}
		if c.isMLX(t) {
			t, changed = t.Reshaped(t.Shape[0], 1, t.Shape[1]), true
		}
		all = append(all, t)
	}
	if changed {
		var err error
		if fit.Tensors, err = checkpoint.NewTensors(all); err != nil {
			return fit, err
		}
	}
	return fit, c.fitHead(&fit)
}

// ownNames are the names that are asked for, by those that files have: as they are where embeddings are under their own.
func ownNames(files *checkpoint.Tensors) map[string]string {
	names := map[string]string{}
	for _, prefix := range prefixes {
		for _, embeddings := range []string{embeddingsName, "embedding.weight"} {
			if _, ok := files.Tensor(prefix + embeddings); !ok {
				continue
			}
			for _, name := range files.Names() {
				if rest, ok := strings.CutPrefix(name, prefix); ok && (prefix != "" || isBackbone(rest)) {
					names[name] = ownPrefix + rest
				}
			}
			names[prefix+embeddings] = ownPrefix + embeddingsName
			if _, ok := files.Tensor(headName); !ok && prefix != "" {
				names[strings.TrimSuffix(prefix, ownPrefix)+headName] = headName
			}
			return names
		}
	}
	return names
}

// isBackbone tells the tensors of a backbone without a prefix from others.
func isBackbone(name string) bool {
	return slices.ContainsFunc([]string{"embedding", "layers.", "norm_f."}, func(s string) bool { return strings.HasPrefix(name, s) })
}

// isMLX tells a convolution [E, K, 1], which MLX lays out so.
func (c *Config) isMLX(t checkpoint.Tensor) bool {
	return strings.HasSuffix(t.Name, ".mixer.conv1d.weight") && len(t.Shape) == 3 && t.Shape[2] == 1 && t.Shape[1] != 1 &&
		t.Format != nil && !t.Format.Quantized()
}

// fitHead takes the head of the files where it is another than the embeddings, though config.json calls them tied.
func (c *Config) fitHead(fit *engine.Fit) error {
	embeddings, ok := fit.Tensors.Tensor(ownPrefix + embeddingsName)
	head, beside := fit.Tensors.Tensor(headName)
	if !ok || !beside || !c.TieWordEmbeddings {
		return nil
	}
	same, err := embeddings.Same(head)
	if err != nil || same {
		return err
	}
	fit.Keys = map[string]any{"tie_word_embeddings": false}
	fit.Warnings = []string{fmt.Sprintf("%s is another matrix than the embeddings, with which config.json ties the head; the head of the file is taken", headName)}
	return nil
}
