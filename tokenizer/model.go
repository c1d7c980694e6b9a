package tokenizer

// model turns a word into tokens.
type model interface {
	// encode appends the tokens of a word, which is not empty, to e.ids.
	encode(e *encoder, word string) error
}

// encoder holds one Encode call: the result and scratch space.
type encoder struct {
	model model
	ids   []int32
	seen  map[string][]int32 // words encoded before
	list  []symbol
	runs  []spmRun // as list, of the model by scores
	heap  []uint64 // rank<<32 | index of the left symbol
}

// Words that were encoded are kept: most words of a text come again. Both limits bound the memory.
const (
	mostSeen    = 1 << 14 // words
	longestSeen = 64      // bytes
)

func newEncoder(m model, room int) *encoder {
	return &encoder{model: m, ids: make([]int32, 0, room), seen: map[string][]int32{}}
}

// token appends an added token.
func (e *encoder) token(id int32) { e.ids = append(e.ids, id) }

// word appends the tokens of one word.
func (e *encoder) word(p piece) error { return e.remember(p.text, e.model.encode) }

// remember appends the tokens of s, which are those that encode finds.
func (e *encoder) remember(s string, encode func(*encoder, string) error) error {
	if len(s) > longestSeen {
		return encode(e, s)
	}
	if ids, ok := e.seen[s]; ok {
		e.ids = append(e.ids, ids...)
		return nil
	}
	from := len(e.ids)
	if err := encode(e, s); err != nil {
		return err
	}
	if len(e.seen) >= mostSeen {
		clear(e.seen)
	}
	e.seen[string([]byte(s))] = append([]int32(nil), e.ids[from:]...)
	return nil
}

// inBytes appends the tokens of the bytes of s to ids; false when one has none.
func inBytes(ids []int32, tokens *[256]int32, s string) ([]int32, bool) {
	if tokens == nil {
		return ids, false
	}
	from := len(ids)
	for i := range len(s) {
		if tokens[s[i]] < 0 {
			return ids[:from], false
		}
		ids = append(ids, tokens[s[i]])
	}
	return ids, true
}
