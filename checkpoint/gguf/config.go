package gguf

import "encoding/json"

// config makes a config.json of the metadata and of the tensors that are there.
func (m *model) config() ([]byte, error) {
	f := m.metadata()
	a, err := f.architecture()
	if err != nil {
		return nil, err
	}
	keys := a.Config(f)
	if keys == nil {
		keys = map[string]any{}
	}
	m.vocabulary(f, keys)
	if f.err != nil {
		return nil, f.err
	}
	return json.MarshalIndent(keys, "", "  ")
}

// vocabulary is how many tokens there are, which of them begin and end a text, and whether there is a head.
func (m *model) vocabulary(f *Metadata, keys map[string]any) {
	const name = "token_embd.weight"
	t, ok := m.tensors[name]
	switch {
	case !ok:
		f.Fail("tensor "+name, "is missing")
	case len(t.dims) != 2:
		f.Fail("tensor "+name, "dimensions %v are not those of a matrix", t.dims)
	default:
		keys["vocab_size"] = t.dims[1]
	}
	keys["tie_word_embeddings"] = !f.Has("output.weight")
	special := m.special(f)
	keys["bos_token_id"], keys["eos_token_id"] = nil, special.ends
	if special.bos >= 0 {
		keys["bos_token_id"] = special.bos
	}
}
