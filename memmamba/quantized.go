package memmamba

import (
	"slices"
	"strings"
)

// matrices are quantized wherever they are in a model: the embeddings, the head and the linear layers,
// but for the memory's k_proj and v_proj, which are small and used once a window.
var matrices = []string{
	"backbone.embeddings.weight", "lm_head.weight",
	".mixer.in_proj.weight", ".mixer.x_proj.weight", ".mixer.dt_proj.weight", ".mixer.out_proj.weight",
	".memory.note_proj.weight", "_attn.q_proj.weight", "_attn.o_proj.weight",
	"gpt_neox.embed_in.weight", "embed_out.weight", ".attention.query_key_value.weight", ".attention.dense.weight",
	".mlp.dense_h_to_4h.weight", ".mlp.dense_4h_to_h.weight",
}

// Quantizes says whether a quantized model holds the tensor of that name quantized.
func Quantizes(name string) bool {
	return slices.ContainsFunc(matrices, func(end string) bool {
		return name == end || strings.IndexByte("._", end[0]) >= 0 && strings.HasSuffix(name, end)
	})
}
