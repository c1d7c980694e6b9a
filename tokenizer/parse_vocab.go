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
	case m.Type != "BPE" && m.Type != "Unigram" && (m.Type != "" || m.Merges == nil): // early files name no type
		return fmt.Errorf("model.type: %q is not supported, only BPE and Unigram", m.Type)
	case m.Dropout != 0:
		return fmt.Errorf("model.dropout: %v is not supported, only 0", m.Dropout)
	case m.Prefix != "":
		return fmt.Errorf("model.continuing_subword_prefix: %q is not supported, only none", m.Prefix)
	case m.Suffix != "":
		return fmt.Errorf("model.end_of_word_suffix: %q is not supported, only none", m.Suffix)
	}
	read := m.readIDs
	if m.Type == "Unigram" {
		read = m.readScores
	}
	if err := read(); err != nil {
		return err
	}
	if len(m.ids) == 0 {
		return errors.New("model.vocab: is missing or empty")
	}
	if err := t.makeRoom(f); err != nil {
		return err
	}
	for token, id := range m.ids {
		if t.kinds[id] != absent {
			return fmt.Errorf("model.vocab: %q has the id %d of another token", token, id)
		}
		t.tokens[id], t.kinds[id], t.ids[token] = token, plain, int32(id)
	}
	return nil
}

// readIDs reads the vocabulary of a byte-pair model.
func (m *modelField) readIDs() error {
	if m.Vocab == nil || m.ids != nil {
		return nil
	}
	if err := json.Unmarshal(m.Vocab, &m.ids); err != nil {
		var mismatch *json.UnmarshalTypeError
		if errors.As(err, &mismatch) {
			return fmt.Errorf("model.vocab: is a JSON %s, not %s", mismatch.Value, jsonType(mismatch.Type))
		}
		return fmt.Errorf("model.vocab: %w", err)
	}
	return nil
}

// readScores reads the vocabulary of a unigram model. Of a token that comes twice the last counts, the
// others keep their ids.
func (m *modelField) readScores() error {
	var list []json.RawMessage
	if m.Vocab != nil && json.Unmarshal(m.Vocab, &list) != nil {
		return errors.New("model.vocab: is not an array, as that of a unigram model is")
	}
	m.ids = make(map[string]int64, len(list))
	for i, entry := range list {
		var token *string
		var score *float64
		if !couple(entry, &token, &score) || token == nil || score == nil {
			return fmt.Errorf("model.vocab[%d]: is not a token and its score", i)
		}
		m.ids[*token] = int64(i)
		m.scores = append(m.scores, *score)
	}
	return nil
}

// makeRoom checks all ids and makes the tables by id.
func (t *Tokenizer) makeRoom(f *file) error {
	limit := int64(min(max(len(f.Model.ids), len(f.Model.scores))+len(f.AddedTokens)+maxGap, math.MaxInt32))
	highest := int64(len(f.Model.scores)) - 1
	check := func(token string, id int64) error {
		if id < 0 || id >= limit {
			return fmt.Errorf("id %d of %q is outside 0 to %d", id, token, limit-1)
		}
		highest = max(highest, id)
		return nil
	}
	for token, id := range f.Model.ids {
		if err := check(token, id); err != nil {
			return fmt.Errorf("model.vocab: %w", err)
		}
	}
	t.resize(int(highest) + 1)
	for i, a := range f.AddedTokens {
		if a.ID == nil {
			return fmt.Errorf("added_tokens[%d].id: is missing", i)
		}
		if a.Content == "" {
			continue // is nothing
		}
		if _, ok := f.Model.ids[a.Content]; ok {
			continue // has its id
		}
		if err := check(a.Content, *a.ID); err != nil {
			return fmt.Errorf("added_tokens[%d].id: %w", i, err)
		}
	}
	return nil
}

// resize makes the tables by id at least n long.
func (t *Tokenizer) resize(n int) {
	if more := n - len(t.tokens); more > 0 {
		t.tokens = append(t.tokens, make([]string, more)...)
		t.kinds = append(t.kinds, make([]kind, more)...)
		t.literals = append(t.literals, make([]bool, more)...)
	}
}

// readAddedTokens reads added_tokens. A token that is in the model's vocabulary too keeps the id it has
// there, and of one that is listed twice the first stays. The others have the ids that Hugging Face gives
// them, whatever the file says: one after the other, behind the vocabulary's size and the added tokens before.
// Where that is another token's, the file's id counts, or the next that is free.
func (t *Tokenizer) readAddedTokens(f *file) error {
	next := int32(max(len(f.Model.ids), len(f.Model.scores)))
	seen := map[string]bool{"": true}
	for _, a := range f.AddedTokens {
		if seen[a.Content] {
			continue
		}
		seen[a.Content] = true
		id, ok := t.ids[a.Content]
		if !ok {
			id = next
			if t.taken(id) {
				id = int32(*a.ID)
			}
			if t.taken(id) {
				id = int32(len(t.kinds))
			}
		}
		next = max(next, id+1)
		if err := t.addToken(a, id); err != nil {
			return err
		}
	}
	return nil
}

// taken reports whether a token has the id.
func (t *Tokenizer) taken(id int32) bool { return int(id) < len(t.kinds) && t.kinds[id] != absent }

// addToken enters one added token.
func (t *Tokenizer) addToken(a addedToken, id int32) error {
	if _, ok := t.ids[a.Content]; !ok {
		t.resize(int(id) + 1)
		t.ids[a.Content], t.tokens[id], t.kinds[id] = id, a.Content, plain
	}
	if a.Special {
		t.kinds[id] = special
	}
	token := added{id: id, singleWord: a.SingleWord, lstrip: a.Lstrip, rstrip: a.Rstrip, special: a.Special}
	if !a.Normalized {
		t.literal.add(a.Content, token)
		t.raw.add(a.Content, token)
		return nil
	}
	if a.Special {
		t.raw.add(a.Content, token)
	}
	p, err := t.normalize(piece{a.Content, inside})
	if err != nil {
		return fmt.Errorf("added_tokens: %q: %w", a.Content, err)
	}
	if p.text != "" {
		t.normalized.add(p.text, token)
	}
	return nil
}

// mergePairs are the merges, read from the field unless they were read before.
func (m *modelField) mergePairs() ([][2]string, error) {
	if m.pairs != nil {
		return m.pairs, nil
	}
	return mergePairs(m.Merges)
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

// couple reads a JSON array of two values.
func couple(data json.RawMessage, first, second any) bool {
	var both []json.RawMessage
	return json.Unmarshal(data, &both) == nil && len(both) == 2 &&
		json.Unmarshal(both[0], first) == nil && json.Unmarshal(both[1], second) == nil
}
