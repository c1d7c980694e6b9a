package tokenizer

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Kinds of pieces, as SentencePiece and GGUF number them.
const (
	pieceNormal      = 1
	pieceUnknown     = 2
	pieceControl     = 3
	pieceUserDefined = 4
	pieceUnused      = 5
	pieceByte        = 6
)

// spVocab is a vocabulary of SentencePiece's kind with its settings.
type spVocab struct {
	texts  []string
	scores []float32
	types  []int32

	unigram     bool
	llama       bool // as llama.cpp has it: user-defined tokens part the text, all tokens may be made
	charsmap    *charsmap
	rawCharsmap []byte // as the file has it
	kept        *trie  // user-defined tokens, which it leaves as they are
	prefix      bool   // a space in front of every text
	once        bool   // but not after a special token
	tidy        bool   // runs of spaces are one, and none at the ends
	keepSpace   bool   // spaces are not written as marks

	unk, bos, eos  int32 // -1 without one
	addBOS, addEOS bool
}

// tokenizer makes the tokenizer. All ids were checked.
func (p *spVocab) tokenizer() (*Tokenizer, error) {
	t := newTokenizer()
	t.resize(len(p.texts))
	vocab := make(map[string]int64, len(p.texts))
	for i, text := range p.texts {
		if !utf8.ValidString(text) {
			return nil, fmt.Errorf("token %d: %q is not UTF-8", i, text)
		}
		if old, ok := vocab[text]; ok {
			return nil, fmt.Errorf("token %d: %q is token %d, too", i, text, old)
		}
		if s := p.scores[i]; s != s || math.IsInf(float64(s), 0) {
			return nil, fmt.Errorf("token %d: %q has the score %v", i, text, s)
		}
		vocab[text] = int64(i)
		t.tokens[i], t.kinds[i], t.ids[text] = text, plain, int32(i)
		p.addToken(t, int32(i))
	}
	p.kept = p.userDefined()
	t.normalizers = []normalizer{p.normalize}
	if p.unigram {
		t.model = p.unigramModel(vocab)
	} else {
		t.model = p.scoreModel(vocab)
	}
	t.stages = p.stages()
	if p.addBOS && p.bos >= 0 {
		t.prefix = []int32{p.bos}
	}
	if p.addEOS && p.eos >= 0 {
		t.suffix = []int32{p.eos}
	}
	t.bos, t.eos = p.bos, p.eos
	t.fillBytes()
	return t, nil
}

// addToken enters a token that is found in a text before all else.
func (p *spVocab) addToken(t *Tokenizer, id int32) {
	a := added{id: id}
	switch p.types[id] {
	case pieceControl, pieceUnknown:
		t.kinds[id] = special
		a.special = true
	case pieceUserDefined:
		if !p.llama {
			return // the model knows it
		}
		t.literals[id] = true
	default:
		return
	}
	if text := p.texts[id]; text != "" {
		t.literal.add(text, a)
		t.raw.add(text, a)
	}
}

// normalize is SentencePiece's treatment of a text before the model sees it.
func (p *spVocab) normalize(in piece) (piece, error) {
	space := spaceMark
	if p.keepSpace {
		space = " "
	}
	if p.charsmap == nil && !p.tidy {
		in.text = strings.ReplaceAll(in.text, " ", space)
	} else {
		in.text = p.rewrite(in.text, space, in.place == joined)
	}
	if in.text != "" && p.prefix && in.place != joined && !(p.once && in.place == inside) {
		in.text = space + in.text
	}
	return in, nil
}

// rewrite replaces by the table and writes spaces as space. With tidy a run of spaces is one and those at
// the ends go; a text that goes on keeps one in front.
func (p *spVocab) rewrite(s, space string, goesOn bool) string {
	var out strings.Builder
	out.Grow(len(s) + len(s)/8)
	afterSpace := p.tidy && !goesOn
	for len(s) > 0 {
		chunk, size := p.charsmap.next(s, p.kept)
		s = s[size:]
		if afterSpace {
			chunk = strings.TrimLeft(chunk, " ")
		}
		if chunk == "" {
			continue
		}
		afterSpace = p.tidy && strings.HasSuffix(chunk, " ")
		out.WriteString(strings.ReplaceAll(chunk, " ", space))
	}
	text := out.String()
	for p.tidy && strings.HasSuffix(text, space) {
		text = strings.TrimSuffix(text, space)
	}
	return text
}

// userDefined are the tokens of that kind.
func (p *spVocab) userDefined() *trie {
	t := newTrie()
	for i, kind := range p.types {
		if kind == pieceUserDefined && p.texts[i] != "" {
			t.add(p.texts[i], int32(i))
		}
	}
	return &t
}

// unigramModel is the model that takes the best path.
func (p *spVocab) unigramModel(vocab map[string]int64) *unigram {
	u := &unigram{trie: newTrie(), scores: make([]float64, len(p.texts)), unk: p.unk, single: true}
	low, high := float32(math.MaxFloat32), float32(-math.MaxFloat32)
	for i, kind := range p.types {
		if kind == pieceNormal {
			low, high = min(low, p.scores[i]), max(high, p.scores[i])
		}
	}
	u.unkScore = float64(low - unkPenalty)
	for i, kind := range p.types {
		u.scores[i] = float64(p.scores[i])
		if kind == pieceUserDefined {
			u.scores[i] = float64(float32(len(p.texts[i]))*high) - 0.1
		}
		if (kind == pieceNormal || kind == pieceUserDefined) && p.texts[i] != "" {
			u.trie.add(p.texts[i], int32(i))
		}
	}
	if p.hasBytes() {
		u.byteIDs = byteTokens(vocab)
	}
	return u
}

// scoreModel is the model that merges by scores.
func (p *spVocab) scoreModel(vocab map[string]int64) *spm {
	m := &spm{
		pieces: map[string]int32{}, output: map[string]int32{}, frozen: p.kept, freezes: !p.llama && len(p.kept.ids) > 1,
		scores: p.scores, unused: make([]bool, len(p.texts)), unk: p.unk,
		edges: &edges{high: map[[2]rune]bool{}, all: map[rune]int32{}},
	}
	for i, text := range p.texts {
		id := int32(i)
		kind := p.types[i]
		m.unused[id] = kind == pieceUnused
		m.output[text] = id
		if r, n := utf8.DecodeRuneInString(text); n == len(text) && n > 0 {
			m.edges.all[r] = id
		}
		if !p.llama && kind != pieceNormal && kind != pieceUserDefined && kind != pieceUnused {
			continue
		}
		m.pieces[text] = id
		last := rune(-1)
		for _, r := range text {
			if last >= 0 {
				m.edges.add(last, r)
			}
			last = r
		}
	}
	if p.llama || p.hasBytes() {
		m.byteIDs = byteTokens(vocab)
	}
	return m
}

func (p *spVocab) hasBytes() bool {
	for _, kind := range p.types {
		if kind == pieceByte {
			return true
		}
	}
	return false
}

// stages turn tokens into text again.
func (p *spVocab) stages() []maker {
	out := []maker{
		func(bool) stage { return &replaceStage{spaceMark, " "} },
		func(bool) stage { return &byteFallbackStage{} },
	}
	if p.prefix {
		out = append(out, func(continues bool) stage {
			s := &stripStage{content: ' ', start: 1, fused: true}
			if continues {
				s.cut = s.start
			}
			return s
		})
	}
	return out
}

// check finds ids and lists that do not fit together.
func (p *spVocab) check() error {
	if len(p.texts) == 0 {
		return errors.New("there are no tokens")
	}
	for _, id := range []struct {
		name string
		id   int32
	}{{"unknown token", p.unk}, {"token for the beginning", p.bos}, {"token for the end", p.eos}} {
		if id.id < -1 || int(id.id) >= len(p.texts) {
			return fmt.Errorf("the %s is %d, outside the vocabulary of %d", id.name, id.id, len(p.texts))
		}
	}
	return nil
}
