package tokenizer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// readModel makes the model out of the fields of model.
func (t *Tokenizer) readModel(f *file) (err error) {
	if f.Model.Type == "Unigram" {
		if t.byteLevel {
			t.steps = append(t.steps, writeAlphabet) // the vocabulary is written in it, too
		}
		t.model, err = unigramOf(f.Model)
		return err
	}
	pairs, err := f.Model.mergePairs()
	if err != nil {
		return err
	}
	b := &bpe{unk: -1, fuseUnk: f.Model.FuseUnk}
	if err := b.readMerges("model.merges", pairs, f.Model.ids); err != nil {
		return err
	}
	if unk := f.Model.UnkToken; unk != nil {
		id, ok := t.ids[*unk]
		if !ok {
			return fmt.Errorf("model.unk_token: %q is not in model.vocab", *unk)
		}
		b.unk = id
	}
	if f.Model.ByteFallback {
		b.byteIDs = byteTokens(f.Model.ids)
	}
	b.fill(f.Model.ids, t.byteLevel, f.Model.IgnoreMerges)
	b.findEdges(pairs, t.byteLevel)
	t.model = b
	return nil
}

// readMerges reads the pairs, the first of which goes first.
func (b *bpe) readMerges(field string, pairs [][2]string, vocab map[string]int64) error {
	b.merges = make(map[pair]merge, len(pairs))
	for rank, p := range pairs {
		left, okLeft := vocab[p[0]]
		right, okRight := vocab[p[1]]
		both, okBoth := vocab[p[0]+p[1]]
		if !okLeft || !okRight || !okBoth {
			return fmt.Errorf("%s[%d]: %q and %q or what they make is not in model.vocab", field, rank, p[0], p[1])
		}
		b.merges[pair{int32(left), int32(right)}] = merge{int32(rank), int32(both)}
	}
	return nil
}

// fill makes the tables of the symbols that words begin as, and of whole words.
func (b *bpe) fill(vocab map[string]int64, byteLevel, whole bool) {
	if byteLevel {
		b.bytes = new([256]int32)
		for i := range b.bytes {
			b.bytes[i] = -1
			if id, ok := vocab[string(charOf[i])]; ok {
				b.bytes[i] = int32(id)
			}
		}
	} else {
		b.chars = map[rune]int32{}
		for token, id := range vocab {
			if r, n := utf8.DecodeRuneInString(token); n == len(token) && n > 0 {
				b.chars[r] = int32(id)
			}
		}
	}
	if !whole {
		return
	}
	b.whole = make(map[string]int32, len(vocab))
	for token, id := range vocab {
		text, ok := token, true
		if byteLevel {
			text, ok = fromAlphabet(token)
		}
		if ok {
			b.whole[text] = int32(id)
			b.longest = max(b.longest, len(text))
		}
	}
}

// findEdges notes what merges can join. Where merges are made of tokens that stand for bytes, or of the
// unknown token, no place is safe and edges stays nil.
func (b *bpe) findEdges(pairs [][2]string, byteLevel bool) {
	found := &edges{high: map[[2]rune]bool{}, all: b.chars}
	if b.bytes != nil && slices.Contains(b.bytes[:], -1) {
		found.all = map[rune]int32{}
		for i, id := range b.bytes {
			if id >= 0 {
				found.all[rune(i)] = id
			}
		}
	}
	for _, p := range pairs {
		_, isByte := byteToken(p[0])
		_, isByte2 := byteToken(p[1])
		if isByte || isByte2 {
			return
		}
		left, right := p[0], p[1]
		if byteLevel {
			var okLeft, okRight bool
			left, okLeft = fromAlphabet(left)
			right, okRight = fromAlphabet(right)
			if !okLeft || !okRight {
				continue // no bytes lead there
			}
			found.add(rune(left[len(left)-1]), rune(right[0]))
			continue
		}
		last, _ := utf8.DecodeLastRuneInString(left)
		first, _ := utf8.DecodeRuneInString(right)
		found.add(last, first)
	}
	if b.unk >= 0 {
		for p := range b.merges {
			if p.left == b.unk || p.right == b.unk {
				return
			}
		}
	}
	b.edges = found
}

// byteTokens are the tokens "<0x00>" to "<0xFF>", -1 for one that is missing.
func byteTokens(vocab map[string]int64) *[256]int32 {
	var out [256]int32
	for i := range out {
		out[i] = -1
		if id, ok := vocab[fmt.Sprintf("<0x%02X>", i)]; ok {
			out[i] = int32(id)
		}
	}
	return &out
}

// unigramOf makes the unigram model.
func unigramOf(m *modelField) (*unigram, error) {
	u := &unigram{trie: newTrie(), scores: m.scores, ids: make(map[string]int32, len(m.ids)), unk: -1}
	lowest := math.Inf(1)
	for _, s := range m.scores {
		lowest = min(lowest, s)
	}
	u.unkScore = lowest - unkPenalty
	if m.UnkID != nil {
		if *m.UnkID < 0 || *m.UnkID >= int64(len(m.scores)) {
			return nil, fmt.Errorf("model.unk_id: %d is outside 0 to %d", *m.UnkID, len(m.scores)-1)
		}
		u.unk = int32(*m.UnkID)
	}
	for token, id := range m.ids {
		if token == "" {
			return nil, errors.New("model.vocab: a token is empty")
		}
		if strings.ContainsRune(token, utf8.RuneError) && !utf8.ValidString(token) {
			return nil, fmt.Errorf("model.vocab: %q is not UTF-8", token)
		}
		u.trie.add(token, int32(id))
		u.ids[token] = int32(id)
	}
	if m.ByteFallback {
		u.byteIDs = byteTokens(m.ids)
	}
	return u, nil
}

// fillBytes works out the bytes that tokens stand for inside a text.
func (t *Tokenizer) fillBytes() {
	t.bytes = make([]string, len(t.tokens))
	for id, token := range t.tokens {
		if t.literals[id] || t.kinds[id] != plain {
			t.bytes[id] = token
			continue
		}
		t.bytes[id] = t.textOf(token)
	}
}

// textOf is what a token stands for inside a text.
func (t *Tokenizer) textOf(token string) string {
	for _, m := range t.stages {
		switch s := m(true).(type) {
		case *byteLevelStage:
			if text, ok := fromAlphabet(token); ok {
				token = text
			}
		case *byteFallbackStage:
			if b, ok := byteToken(token); ok {
				return string([]byte{b})
			}
		case *replaceStage:
			token = strings.ReplaceAll(token, s.what, s.with)
		case *metaspaceStage:
			token = strings.ReplaceAll(token, s.mark, " ")
		case *replaceAllStage:
			token = s.replace(token)
		}
	}
	return token
}
