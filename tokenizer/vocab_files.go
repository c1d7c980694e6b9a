package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// File is the vocabulary as folders have it, and what the file is called there: tokenizer.json for byte-level
// BPE, SentencePiece's tokenizer.model for the other kinds. Errors are those of FromVocab.
func (v Vocab) File() (name string, data []byte, err error) {
	t, err := FromVocab(v)
	if err != nil {
		return "", nil, err
	}
	if err := v.check(); err != nil { // fills what may be absent
		return "", nil, err
	}
	if v.Model == "gpt2" {
		data, err = v.json(t)
		return jsonName, data, err
	}
	return modelName, v.sentencePiece(), nil
}

type object = map[string]any

// json is a tokenizer.json.
func (v *Vocab) json(t *Tokenizer) ([]byte, error) {
	vocab := make(map[string]int, len(v.Tokens))
	added := []object{}
	for i := range v.Tokens {
		text := v.text(i)
		if !utf8.ValidString(text) {
			return nil, fmt.Errorf("tokenizer.ggml.tokens[%d]: %q is not UTF-8", i, text)
		}
		vocab[text] = i
		if t.literals[i] {
			added = append(added, object{"id": i, "content": text, "single_word": false, "lstrip": false, "rstrip": false,
				"normalized": false, "special": t.kinds[i] == special})
		}
	}
	pairs, err := ggufPairs(v.Merges)
	if err != nil {
		return nil, err
	}
	pre := preTokenizers[v.Pre]
	steps := []object{}
	for _, p := range pre.patterns {
		steps = append(steps, object{"type": "Split", "pattern": object{"Regex": p}, "behavior": "Isolated", "invert": false})
	}
	steps = append(steps, object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false})
	model := object{"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
		"fuse_unk": false, "byte_fallback": false, "ignore_merges": pre.whole, "vocab": vocab, "merges": pairs}
	if v.Unknown >= 0 {
		model["unk_token"] = v.text(int(v.Unknown))
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err = e.Encode(object{"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": added, "normalizer": nil,
		"pre_tokenizer":  object{"type": "Sequence", "pretokenizers": steps},
		"post_processor": v.around(t),
		"decoder":        object{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
		"model":          model})
	return out.Bytes(), err
}

// around is the post-processor: the tokens in front of a text and behind it.
func (v *Vocab) around(t *Tokenizer) object {
	if len(t.prefix)+len(t.suffix) == 0 {
		return object{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true}
	}
	tokens := object{}
	template := func(sequences ...string) (pieces []object) {
		put := func(ids []int32) {
			for _, id := range ids {
				name := v.text(int(id))
				tokens[name] = object{"id": name, "ids": []int32{id}, "tokens": []string{name}}
				pieces = append(pieces, object{"SpecialToken": object{"id": name, "type_id": 0}})
			}
		}
		for i, name := range sequences {
			put(t.prefix)
			pieces = append(pieces, object{"Sequence": object{"id": name, "type_id": i}})
			put(t.suffix)
		}
		return pieces
	}
	return object{"type": "TemplateProcessing", "single": template("A"), "pair": template("A", "B"), "special_tokens": tokens}
}

// sentencePiece is a tokenizer.model.
func (v *Vocab) sentencePiece() (out []byte) {
	for i := range v.Tokens {
		piece := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), v.text(i))
		piece = protowire.AppendFixed32(protowire.AppendTag(piece, 2, protowire.Fixed32Type), math.Float32bits(v.Scores[i]))
		piece = appendVarint(piece, 3, uint64(v.Types[i]))
		out = protowire.AppendBytes(protowire.AppendTag(out, 1, protowire.BytesType), piece)
	}
	kind, bytes := uint64(spBPE), uint64(0)
	if v.Model == "t5" {
		kind = spUnigram
	}
	for _, t := range v.Types {
		if t == pieceByte {
			bytes = 1
		}
	}
	trainer := appendVarint(appendVarint(nil, 3, kind), 35, bytes)
	for number, id := range map[protowire.Number]int32{40: v.Unknown, 41: v.BOS, 42: v.EOS} {
		trainer = appendVarint(trainer, number, uint64(int64(id)))
	}
	out = protowire.AppendBytes(protowire.AppendTag(out, 2, protowire.BytesType), trainer)
	var normalizer []byte
	if len(v.Charsmap) > 0 && v.Model == "t5" {
		normalizer = protowire.AppendBytes(protowire.AppendTag(normalizer, 2, protowire.BytesType), v.Charsmap)
	}
	normalizer = appendVarint(normalizer, 3, protowire.EncodeBool(isTrue(v.AddPrefix, true)))
	normalizer = appendVarint(normalizer, 4, protowire.EncodeBool(v.Tidy && v.Model == "t5"))
	return protowire.AppendBytes(protowire.AppendTag(out, 3, protowire.BytesType), normalizer)
}

func appendVarint(b []byte, number protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), v)
}
