// Package corpus reads a text as tokens piece by piece, so that a long one needs no more memory than
// a short one.
package corpus

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

const (
	pieceBytes = 64 << 10 // of text encoded in one go
	mostBytes  = 1 << 20  // of text without a place to cut before that is an error
	context    = 256      // bytes on both sides of a cut that must agree that it is one
	spaces     = 16       // cuts tried in front of a space before others are
	others     = 256
)

// A Reader turns a text into tokens, the same as if it were encoded as a whole: it cuts only where the
// tokens on both sides stay what they are without the cut.
type Reader struct {
	name   string
	from   io.Reader
	encode Encoder
	piece  int    // pieceBytes
	text   []byte // read and not encoded yet
	valid  int    // bytes of text that are known to be whole characters
	offset int64  // of text in the file
	ended  bool
}

// New returns a Reader of the text that from holds; name stands for it in errors.
func New(name string, from io.Reader, encode Encoder) *Reader {
	return &Reader{name: name, from: from, encode: encode, piece: pieceBytes}
}

// Next returns the tokens of the next piece of the text, one at least, and io.EOF after the last.
func (r *Reader) Next() ([]int32, error) {
	for want := r.piece; ; want *= 2 {
		if err := r.fill(want); err != nil {
			return nil, err
		}
		cut := len(r.text)
		if cut == 0 {
			return nil, io.EOF
		}
		if !r.ended {
			var err error
			if cut, err = r.cut(); err != nil {
				return nil, err
			}
		}
		if cut > 0 {
			return r.take(cut)
		}
		if want >= mostBytes {
			return nil, fmt.Errorf("%s: %d bytes from byte %d on have no place where the tokenizer lets them be divided", r.name, len(r.text), r.offset)
		}
	}
}

// take encodes the first n bytes. A text that is all removed by the tokenizer has no tokens, and the
// next piece is taken instead.
func (r *Reader) take(n int) ([]int32, error) {
	ids, err := r.encode(string(r.text[:n]))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.name, err)
	}
	r.text, r.valid, r.offset = append(r.text[:0], r.text[n:]...), r.valid-n, r.offset+int64(n)
	if len(ids) == 0 {
		return r.Next()
	}
	return ids, nil
}

// fill reads on until there are want bytes or the text ends, and finds what is not UTF-8.
func (r *Reader) fill(want int) error {
	for len(r.text) < want && !r.ended {
		at := len(r.text)
		r.text = slices.Grow(r.text, want-at)
		n, err := r.from.Read(r.text[at:want])
		r.text = r.text[:at+n]
		switch {
		case errors.Is(err, io.EOF):
			r.ended = true
		case err != nil:
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	for r.valid < len(r.text) {
		rest := r.text[r.valid:]
		if !utf8.FullRune(rest) && !r.ended {
			return nil
		}
		c, n := utf8.DecodeRune(rest)
		if c == utf8.RuneError && n == 1 {
			return fmt.Errorf("%s: not UTF-8 at byte %d", r.name, r.offset+int64(r.valid))
		}
		r.valid += n
	}
	return nil
}

// cut returns how many bytes may be encoded by themselves, 0 for none. In front of a single space is
// where most tokenizers divide words anyway.
func (r *Reader) cut() (int, error) {
	for _, kind := range []struct {
		tries int
		is    func(at int) bool
	}{{spaces, r.beforeSpace}, {others, func(at int) bool { return utf8.RuneStart(r.text[at]) }}} {
		tries := 0
		for at := r.valid - context; at > 0 && tries < kind.tries; at-- {
			if !kind.is(at) {
				continue
			}
			tries++
			if ok, err := r.parts(at); ok || err != nil {
				return at, err
			}
		}
	}
	return 0, nil
}

func (r *Reader) beforeSpace(at int) bool {
	return r.text[at] == ' ' && r.text[at-1] > ' ' && r.text[at+1] > ' '
}

// parts says whether the surroundings of a place have the same tokens when they are divided there.
func (r *Reader) parts(at int) (bool, error) {
	from, to := max(0, at-context), min(r.valid, at+context)
	for from > 0 && !utf8.RuneStart(r.text[from]) {
		from--
	}
	for to < r.valid && !utf8.RuneStart(r.text[to]) {
		to++
	}
	whole, err := r.encode(string(r.text[from:to]))
	if err != nil {
		return false, fmt.Errorf("%s: %w", r.name, err)
	}
	left, err := r.encode(string(r.text[from:at]))
	if err != nil {
		return false, fmt.Errorf("%s: %w", r.name, err)
	}
	right, err := r.encode(string(r.text[at:to]))
	if err != nil {
		return false, fmt.Errorf("%s: %w", r.name, err)
	}
	return slices.Equal(whole, append(slices.Clone(left), right...)), nil
}
