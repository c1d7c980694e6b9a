package tokenizer

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// vocabOfModel is the vocabulary of SentencePiece's tokenizer.model with the tokens that a tokenizer_config.json adds.
func (c *config) vocabOfModel(data []byte) (Vocab, *Tokenizer, error) {
	p, err := readModelFile(data, c)
	if err != nil {
		return Vocab{}, nil, err
	}
	t, err := p.tokenizer()
	if err != nil {
		return Vocab{}, nil, err
	}
	if err := c.addTo(t); err != nil {
		return Vocab{}, nil, err
	}
	v := Vocab{Model: "llama", Types: slices.Clone(p.types), Scores: slices.Clone(p.scores), Unknown: p.unk, AddPrefix: &p.prefix}
	switch {
	case p.keepSpace:
		return v, nil, fmt.Errorf("normalizer_spec.escape_whitespaces: spaces that stay spaces are not written to GGUF files")
	case p.unigram:
		v.Model, v.Tidy, v.Charsmap = "t5", p.tidy, p.rawCharsmap
	case p.charsmap != nil:
		return v, nil, fmt.Errorf("normalizer_spec.precompiled_charsmap: a BPE model that rewrites its text is not written to GGUF files (a unigram model is)")
	case p.tidy:
		return v, nil, fmt.Errorf("normalizer_spec.remove_extra_whitespaces: a BPE model that takes spaces away is not written to GGUF files (a unigram model is)")
	}
	for id, text := range t.tokens {
		if id >= len(v.Types) {
			kind := int32(pieceUserDefined)
			if t.kinds[id] == special {
				kind = pieceControl
			}
			v.Types, v.Scores = append(v.Types, kind), append(v.Scores, 0)
		}
		v.Tokens = append(v.Tokens, text)
	}
	return v, t, nil
}

// ofUnigram fills in what a unigram vocabulary has.
func (v *Vocab) ofUnigram(f *file) error {
	v.Model, v.Scores = "t5", make([]float32, len(v.Tokens))
	for i, score := range f.Model.scores {
		v.Scores[i] = float32(score)
	}
	for id, text := range v.Tokens {
		if _, ok := byteToken(text); ok && f.Model.ByteFallback && v.Types[id] == pieceNormal {
			v.Types[id] = pieceByte
		}
	}
	if f.Model.UnkID != nil {
		v.Unknown = int32(*f.Model.UnkID)
		v.Types[v.Unknown] = pieceUnknown
	}
	prefix := false
	v.AddPrefix = &prefix
	for _, p := range flatten(f.Normalizer, "normalizer", func(p *part) (string, []part) { return "normalizers", p.Normalizers }) {
		switch {
		case p.Type == "Precompiled":
			data, err := base64.StdEncoding.DecodeString(p.Charsmap)
			if err != nil {
				return fmt.Errorf("%s.precompiled_charsmap: %w", p.field, err)
			}
			v.Charsmap = data
		case p.Type == "Strip" || p.squeezes():
			v.Tidy = true
		case p.Type == "Prepend" && p.Prepend == spaceMark:
			prefix = true
		case p.Type == "Replace" && p.Pattern != nil && p.Pattern.String != nil && *p.Pattern.String == " " && p.Content != nil && *p.Content == spaceMark:
		default:
			return fmt.Errorf("%s.type: %s of a unigram model is not written to GGUF files", p.field, p.Type)
		}
	}
	for _, p := range flatten(f.PreTokenizer, "pre_tokenizer", func(p *part) (string, []part) { return "pretokenizers", p.Pretokenizers }) {
		switch {
		case p.Type == "WhitespaceSplit" && v.Charsmap != nil: // which makes spaces of all white space
			v.Tidy = true
		case p.Type == "Metaspace" && (p.Replacement == "" || p.Replacement == spaceMark):
			_, scheme, err := p.spaceMark()
			if err != nil {
				return err
			}
			prefix = prefix || scheme != "never"
		default:
			return fmt.Errorf("%s.type: %s of a unigram model is not written to GGUF files", p.field, p.Type)
		}
	}
	return nil
}

// squeezes reports whether a normalizer makes one of several spaces.
func (l located) squeezes() bool {
	return l.Type == "Replace" && l.Pattern != nil && l.Pattern.Regex != nil && l.Content != nil &&
		slices.Contains([]string{" {2,}", " +", `\s+`, "▁{2,}"}, *l.Pattern.Regex) && strings.Trim(*l.Content, " ▁") == ""
}
