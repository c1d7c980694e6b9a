package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
)

// maxGap is how far ids may lie beyond the number of tokens: room for unused ids, but no file can
// ask for more memory than it is worth.
const maxGap = 1 << 16

// readVocab reads model.vocab and checks the rest of the model's settings.
func (t *Tokenizer) readVocab(f *file) error {
	m := f.Model
	switch {
	case m.Type != "BPE" && (m.Type != "" || m.Merges == nil): // early files name no type
		return fmt.Errorf("model.type: %q is not supported, only BPE", m.Type)
	case m.Dropout != 0:
		return fmt.Errorf("model.dropout: %v is not supported, only 0", m.Dropout)
	case m.Prefix != "":
		return fmt.Errorf("model.continuing_subword_prefix: %q is not supported, only none", m.Prefix)
	case m.Suffix != "":
		return fmt.Errorf("model.end_of_word_suffix: %q is not supported, only none", m.Suffix)
	case m.ByteFallback:
		return errors.New("model.byte_fallback: true is not supported, only byte-level vocabularies")
	case len(m.Vocab) == 0:
		return errors.New("model.vocab: is missing or empty")
	}
	if err := t.makeRoom(f); err != nil {
		return err
	}
	t.ids = make(map[string]int32, len(m.Vocab)+len(f.AddedTokens))
	for token, id := range m.Vocab {
		if t.kinds[id] != absent {
			return fmt.Errorf("model.vocab: %q has the id %d of another token", token, id)
		}
		text, ok := fromAlphabet(token)
		if !ok {
			text = token // as Hugging Face's decoder does; no merge of bytes leads here
		}
		t.bytes[id], t.kinds[id], t.ids[token] = text, plain, int32(id)
	}
	return nil
}

// makeRoom checks all ids and makes the tables by id.
func (t *Tokenizer) makeRoom(f *file) error {
	limit := int64(min(len(f.Model.Vocab)+len(f.AddedTokens)+maxGap, math.MaxInt32))
	highest := int64(0)
	check := func(token string, id int64) error {
		if id < 0 || id >= limit {
			return fmt.Errorf("id %d of %q is outside 0 to %d", id, token, limit-1)
		}
		highest = max(highest, id)
		return nil
	}
	for token, id := range f.Model.Vocab {
		if err := check(token, id); err != nil {
			return fmt.Errorf("model.vocab: %w", err)
		}
	}
	for i, a := range f.AddedTokens {
		if a.ID == nil {
			return fmt.Errorf("added_tokens[%d].id: is missing", i)
		}
		if err := check(a.Content, *a.ID); err != nil {
			return fmt.Errorf("added_tokens[%d].id: %w", i, err)
		}
	}
	t.bytes = make([]string, highest+1)
	t.kinds = make([]kind, highest+1)
	return nil
}

// readAddedTokens reads added_tokens. A token that is in the model's vocabulary too keeps the
// bytes it has there; any other stands for its content.
func (t *Tokenizer) readAddedTokens(f *file) error {
	for i, a := range f.AddedTokens {
		id := int32(*a.ID)
		if a.Content == "" {
			return fmt.Errorf("added_tokens[%d].content: is missing or empty", i)
		}
		old, ok := t.ids[a.Content]
		switch {
		case ok && old != id:
			return fmt.Errorf("added_tokens[%d].id: %d, but %q has the id %d", i, id, a.Content, old)
		case !ok && t.kinds[id] != absent:
			return fmt.Errorf("added_tokens[%d].id: %d of %q is another token's", i, id, a.Content)
		case !ok:
			t.ids[a.Content], t.bytes[id], t.kinds[id] = id, a.Content, plain
		}
		if a.Special {
			t.kinds[id] = special
		}
		token := added{id: id, singleWord: a.SingleWord, lstrip: a.Lstrip, rstrip: a.Rstrip}
		switch {
		case !a.Normalized:
			t.literal.add(a.Content, token)
		case t.nfc:
			t.normalized.add(nfc(a.Content), token)
		default:
			t.normalized.add(a.Content, token)
		}
	}
	return nil
}

// readMerges makes the byte-pair model. The field unk_token has no effect: it would stand for
// bytes without a token, and those are an error of Encode.
func (t *Tokenizer) readMerges(f *file) error {
	pairs, err := mergePairs(f.Model.Merges)
	if err != nil {
		return err
	}
	vocab := f.Model.Vocab
	t.bpe.merges = make(map[pair]merge, len(pairs))
	for rank, p := range pairs {
		left, okLeft := vocab[p[0]]
		right, okRight := vocab[p[1]]
		both, okBoth := vocab[p[0]+p[1]]
		if !okLeft || !okRight || !okBoth {
			return fmt.Errorf("model.merges[%d]: %q and %q or what they make is not in model.vocab", rank, p[0], p[1])
		}
		t.bpe.merges[pair{int32(left), int32(right)}] = merge{int32(rank), int32(both)}
	}
	for b := range t.bpe.symbols {
		t.bpe.symbols[b] = -1
		if id, ok := vocab[string(charOf[b])]; ok {
			t.bpe.symbols[b] = int32(id)
		}
	}
	if f.Model.IgnoreMerges {
		t.bpe.whole = make(map[string]int32, len(vocab))
		for token, id := range vocab {
			if text, ok := fromAlphabet(token); ok {
				t.bpe.whole[text] = int32(id)
			}
		}
	}
	return nil
}

// mergePairs reads model.merges in either of its two forms.
func mergePairs(data json.RawMessage) ([][2]string, error) {
	var joined []string
	if data == nil || json.Unmarshal(data, &joined) == nil {
		pairs := make([][2]string, len(joined))
		for i, s := range joined {
			left, right, ok := strings.Cut(s, " ")
			if !ok || left == "" || right == "" || strings.Contains(right, " ") {
				return nil, fmt.Errorf("model.merges[%d]: %q is not two tokens with a space between", i, s)
			}
			pairs[i] = [2]string{left, right}
		}
		return pairs, nil
	}
	var lists [][]string
	if json.Unmarshal(data, &lists) != nil {
		return nil, errors.New(`model.merges: is neither a list of "a b" strings nor of ["a", "b"] pairs`)
	}
	pairs := make([][2]string, len(lists))
	for i, l := range lists {
		if len(l) != 2 || l[0] == "" || l[1] == "" {
			return nil, fmt.Errorf("model.merges[%d]: %q is not a pair of tokens", i, l)
		}
		pairs[i] = [2]string(l)
	}
	return pairs, nil
}
