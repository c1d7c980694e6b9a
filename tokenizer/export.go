package tokenizer

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// cuts are the patterns with which files of tokenizers cut words, as those files write them, and the names that GGUF has for them.
var cuts = map[string]string{
	`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`: "dbrx",
	`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`:      "qwen2",
	llama3Pattern: "dbrx",
	qwen2Pattern:  "qwen2",
}

// VocabOf is the vocabulary of a folder's tokenizer, in whatever files [Open] reads it from, as a GGUF file has it, for a
// model of the given number of rows: those beyond the tokens get names that no text holds. Tokens for the beginning and the end are those
// that the tokenizer puts around a text, or that its files name. Errors name the file and the field, with path as in Open; a
// tokenizer that GGUF has no words for is one.
func VocabOf(folder fs.FS, path func(name string) string, rows int) (Vocab, error) {
	c, err := openConfig(folder, path)
	if err != nil {
		return Vocab{}, err
	}
	name, data, merges, err := readFolder(folder, path)
	if err != nil {
		return Vocab{}, err
	}
	v, t, err := c.vocab(name, path(name), data, path(mergesName), merges)
	if err == nil {
		err = c.apply(t)
	}
	if err != nil {
		return Vocab{}, fmt.Errorf("%s: %w", path(name), err)
	}
	v.BOS, v.EOS = t.bos, t.eos
	bos, eos := len(t.prefix) > 0, len(t.suffix) > 0
	if v.AddBOS = &bos; bos {
		v.BOS = t.prefix[0]
	}
	if eos {
		v.EOS = t.suffix[0]
	}
	if eos || v.Model == "t5" {
		v.AddEOS = &eos
	}
	return v, v.pad(rows)
}

// pad gives rows beyond the tokens names that no text holds.
func (v *Vocab) pad(rows int) error {
	for id := len(v.Tokens); id < rows; id++ {
		v.Tokens, v.Types = append(v.Tokens, fmt.Sprintf("[PAD%d]", id)), append(v.Types, pieceUnused)
		if v.Scores != nil {
			v.Scores = append(v.Scores, 0)
		}
	}
	if v.Model == "gpt2" {
		return nil
	}
	_, err := FromVocab(*v)
	return err
}

// vocab reads one kind of file.
func (c *config) vocab(name, path string, data []byte, mergesPath string, merges []byte) (v Vocab, t *Tokenizer, err error) {
	f := &file{}
	switch name {
	case modelName:
		return c.vocabOfModel(data)
	case vocabName:
		f, err = c.pairFile(data, mergesPath, merges)
	default:
		if err = checkPointer(data); err == nil {
			if err = json.Unmarshal(data, f); err != nil {
				err = jsonError(err)
			}
		}
	}
	if err != nil {
		return v, nil, err
	}
	if t, err = build(f); err != nil {
		return v, nil, err
	}
	v, err = vocabOfFile(f, t)
	return v, t, err
}

// vocabOfFile is the vocabulary of what a tokenizer.json describes.
func vocabOfFile(f *file, t *Tokenizer) (Vocab, error) {
	v := Vocab{BOS: -1, EOS: -1, Unknown: -1}
	added := map[string]bool{}
	for _, a := range f.AddedTokens {
		added[a.Content] = true
	}
	for id, text := range t.tokens {
		kind := int32(pieceNormal)
		switch {
		case t.kinds[id] == absent:
			text, kind = fmt.Sprintf("[PAD%d]", id), pieceUnused
		case t.kinds[id] == special:
			kind = pieceControl
		case added[text]:
			kind = pieceUserDefined
		}
		v.Tokens, v.Types = append(v.Tokens, text), append(v.Types, kind)
	}
	if f.Model.Type == "Unigram" {
		return v, v.ofUnigram(f)
	}
	pairs, err := f.Model.mergePairs()
	if err != nil {
		return Vocab{}, err
	}
	if t.byteLevel {
		return v, v.ofBytes(f, t, pairs)
	}
	return v, v.ofPieces(f, t, pairs)
}

// ofBytes fills in what a byte-level vocabulary has.
func (v *Vocab) ofBytes(f *file, t *Tokenizer, pairs [][2]string) error {
	v.Model = "gpt2"
	for _, p := range pairs {
		v.Merges = append(v.Merges, p[0]+" "+p[1])
	}
	var err error
	v.Pre, err = cutOf(f.PreTokenizer)
	if v.Pre == "dbrx" && f.Model.IgnoreMerges {
		v.Pre = "llama-bpe"
	}
	if err == nil && f.Model.IgnoreMerges && !preTokenizers[v.Pre].whole {
		err = t.model.(*bpe).merged()
	}
	return err
}

// merged is an error when a word is a token that no merges lead to.
func (b *bpe) merged() error {
	e := newEncoder(b, 16)
	for word, id := range b.whole {
		e.ids = e.ids[:0]
		if err := b.merge(e, word); err != nil || len(e.ids) != 1 || e.ids[0] != id {
			return fmt.Errorf("model.ignore_merges: no merges lead to %q, and GGUF has no name for that beside this pre_tokenizer", word)
		}
	}
	return nil
}

// cutOf is the name that GGUF has for how words are cut.
func cutOf(p *part) (string, error) {
	var steps []part
	switch {
	case p == nil:
	case p.Type == "Sequence":
		steps = p.Pretokenizers
	default:
		steps = []part{*p}
	}
	var kinds []string
	for _, s := range steps {
		kind := s.Type
		switch {
		case s.Type == "ByteLevel" && isTrue(s.AddPrefixSpace, true):
			return "", fmt.Errorf("pre_tokenizer: add_prefix_space has no name in GGUF files")
		case s.Type == "ByteLevel" && !isTrue(s.UseRegex, true):
			kind = "Bytes"
		case s.Type == "Digits" && s.IndividualDigits:
			kind = "Digit"
		case s.Type == "Split" && s.Pattern != nil && s.Pattern.Regex != nil && s.Behavior == isolated && !s.Invert:
			kind = "Split " + *s.Pattern.Regex
		}
		kinds = append(kinds, kind)
	}
	all := strings.Join(kinds, " + ")
	switch all {
	case "ByteLevel":
		return "gpt-2", nil
	case "Digit + ByteLevel":
		return "starcoder", nil
	case "Punctuation + ByteLevel + Digits + Split [0-9][0-9][0-9]":
		return "falcon", nil
	}
	if n := len(kinds) - 1; n > 0 && kinds[n] == "Bytes" {
		if name, ok := cuts[strings.TrimPrefix(kinds[0], "Split ")]; ok && n == 1 {
			return name, nil
		}
		for _, name := range PreTokenizers() {
			if slices.EqualFunc(preTokenizers[name].patterns, kinds[:n], func(p, kind string) bool { return kind == "Split "+p }) {
				return name, nil
			}
		}
	}
	return "", fmt.Errorf("pre_tokenizer: %q has no name in GGUF files", all)
}

// ofPieces fills in what a vocabulary of SentencePiece's kind has: a piece that pairs merge to is the likelier the earlier
// they do.
func (v *Vocab) ofPieces(f *file, t *Tokenizer, pairs [][2]string) error {
	if !f.Model.ByteFallback {
		return fmt.Errorf("model.byte_fallback: a BPE model without bytes is not written to GGUF files")
	}
	v.Model, v.Scores = "llama", make([]float32, len(v.Tokens))
	ranks := map[string]int{}
	for i, p := range pairs {
		if _, ok := ranks[p[0]+p[1]]; !ok {
			ranks[p[0]+p[1]] = i + 1
		}
	}
	for id, text := range v.Tokens {
		if v.Types[id] != pieceNormal {
			continue
		}
		switch rank, merged := ranks[text]; {
		case merged:
			v.Scores[id] = -float32(rank)
		case len(text) == 6 && strings.HasPrefix(text, "<0x") && text[5] == '>':
			v.Types[id] = pieceByte
		default:
			v.Scores[id] = -float32(len(pairs) + 1)
		}
	}
	if f.Model.UnkToken != nil {
		if id, ok := t.ids[*f.Model.UnkToken]; ok {
			v.Unknown, v.Types[id] = id, pieceUnknown
		}
	}
	prefix := false
	if n := f.Normalizer; n != nil {
		prefix = n.Type == "Prepend" || slices.ContainsFunc(n.Normalizers, func(p part) bool { return p.Type == "Prepend" })
	}
	if p := f.PreTokenizer; p != nil && p.Type == "Metaspace" {
		prefix = p.PrependScheme != "never"
	}
	v.AddPrefix = &prefix
	return nil
}
