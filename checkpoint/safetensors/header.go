package safetensors

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"unicode/utf8"
)

const metadataKey = "__metadata__"

// header is what the JSON at the front of a file says.
type header struct {
	meta    map[string]string
	entries []entry
}

// entry is one tensor of a header: its bytes are data[begin:end].
type entry struct {
	name       string
	dtype      DType
	other      string // the name of a type that is none of those known
	shape      []int
	begin, end int
}

// parseHeader reads the header and checks each entry by itself.
func parseHeader(raw []byte) (header, error) {
	var h header
	if len(raw) == 0 || raw[0] != '{' {
		return h, errors.New("header does not start with {")
	}
	if !utf8.Valid(raw) {
		return h, errors.New("header is not UTF-8")
	}
	err := parseObject(raw, func(d *json.Decoder, name string) error {
		if name == metadataKey {
			h.meta = map[string]string{}
			return readObject(d, func(key string) error {
				text, err := readString(d)
				if err != nil {
					return fmt.Errorf("%s: %s: %w", metadataKey, quote(key), err)
				}
				h.meta[key] = text
				return nil
			})
		}
		e, err := readEntry(d)
		if err != nil {
			return fmt.Errorf("tensor %s: %w", quote(name), err)
		}
		e.name = name
		h.entries = append(h.entries, e)
		return nil
	})
	if err != nil {
		return h, fmt.Errorf("header: %w", err)
	}
	return h, nil
}

// readEntry reads {"dtype": …, "shape": […], "data_offsets": [begin, end]} and checks that the
// shape fills the offsets, if the type is known.
func readEntry(d *json.Decoder) (entry, error) {
	var e entry
	var offsets []int
	err := readObject(d, func(key string) (err error) {
		switch key {
		case "dtype":
			var name string
			if name, err = readString(d); err == nil {
				if e.dtype, err = ParseDType(name); err != nil {
					e.other, err = name, nil // for whoever asks for the tensor to tell
				}
			}
		case "shape":
			e.shape, err = readInts(d)
		case "data_offsets":
			offsets, err = readInts(d)
		default: // Hugging Face's reader passes it over, too
			var ignored json.RawMessage
			err = d.Decode(&ignored)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
	switch {
	case err != nil:
		return e, err
	case e.dtype == 0 && e.other == "":
		return e, errors.New("dtype is missing")
	case e.shape == nil:
		return e, errors.New("shape is missing")
	case offsets == nil:
		return e, errors.New("data_offsets is missing")
	case len(offsets) != 2:
		return e, fmt.Errorf("data_offsets has %d numbers instead of 2", len(offsets))
	}
	e.begin, e.end = offsets[0], offsets[1]
	if e.begin > e.end {
		return e, fmt.Errorf("data_offsets [%d %d] run backwards", e.begin, e.end)
	}
	size, err := byteSize(e.dtype, e.shape)
	if err != nil {
		return e, err
	}
	if e.dtype.valid() && size != e.end-e.begin {
		return e, fmt.Errorf("shape %s of %s is %d bytes, data_offsets [%d %d] are %d",
			shapeText(e.shape), e.dtype, size, e.begin, e.end, e.end-e.begin)
	}
	return e, nil
}

// byteSize returns the bytes of a tensor; negative and overflowing shapes are errors.
func byteSize(d DType, shape []int) (int, error) {
	size := uint64(max(1, d.Size())) // of a type that is not known nothing but a byte an element can be said
	for _, n := range shape {
		if n < 0 {
			return 0, fmt.Errorf("shape %s is negative", shapeText(shape))
		}
		hi, lo := bits.Mul64(size, uint64(n))
		if hi != 0 || lo > math.MaxInt {
			if !d.valid() {
				return 0, fmt.Errorf("shape %s overflows", shapeText(shape))
			}
			return 0, fmt.Errorf("shape %s of %s overflows", shapeText(shape), d)
		}
		size = lo
	}
	return int(size), nil
}

// shapeText prints a shape for an error, cut short: its length comes out of the file.
func shapeText(shape []int) string {
	const limit = 8
	if len(shape) > limit {
		return fmt.Sprintf("%d…(%d axes)", shape[:limit], len(shape))
	}
	return fmt.Sprint(shape)
}

// checkCover sorts the entries by place and requires that they cover the data's size bytes
// exactly: no overlap, no hole, nothing beyond either end.
func checkCover(entries []entry, size int) error {
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end), cmp.Compare(a.name, b.name))
	})
	at, before := 0, ""
	for _, e := range entries {
		switch {
		case e.end > size:
			return fmt.Errorf("tensor %s: data_offsets [%d %d] end beyond the file's %d bytes of data: %w",
				quote(e.name), e.begin, e.end, size, io.ErrUnexpectedEOF)
		case e.begin < at:
			return fmt.Errorf("tensor %s: data_offsets [%d %d] overlap tensor %s, which ends at %d",
				quote(e.name), e.begin, e.end, quote(before), at)
		case e.begin > at:
			return fmt.Errorf("tensor %s: data_offsets [%d %d] leave a hole from %d",
				quote(e.name), e.begin, e.end, at)
		}
		at, before = e.end, e.name
	}
	if at != size {
		return fmt.Errorf("%d bytes of data follow the last tensor, which ends at %d", size-at, at)
	}
	return nil
}

// parseObject reads raw as one JSON object and nothing after it but white space.
func parseObject(raw []byte, value func(d *json.Decoder, key string) error) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := readObject(d, func(key string) error { return value(d, key) }); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("text follows the JSON object")
	}
	return nil
}

// readObject reads one JSON object; value is called after each key and must read its value.
// A key that comes twice is an error, where encoding/json would keep the last silently.
func readObject(d *json.Decoder, value func(key string) error) error {
	if err := readDelim(d, '{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for d.More() {
		token, err := nextToken(d)
		if err != nil {
			return err
		}
		key, ok := token.(string)
		if !ok {
			return fmt.Errorf("expected a key, found %v", token)
		}
		if seen[key] {
			return fmt.Errorf("key %s comes twice", quote(key))
		}
		seen[key] = true
		if err := value(key); err != nil {
			return err
		}
	}
	return readDelim(d, '}')
}

func readDelim(d *json.Decoder, want json.Delim) error {
	token, err := nextToken(d)
	if err != nil {
		return err
	}
	if token != want {
		return fmt.Errorf("expected %v, found %s", want, tokenText(token))
	}
	return nil
}

func readString(d *json.Decoder) (string, error) {
	token, err := nextToken(d)
	if err != nil {
		return "", err
	}
	s, ok := token.(string)
	if !ok {
		return "", fmt.Errorf("expected a string, found %s", tokenText(token))
	}
	return s, nil
}

// readInts reads an array of whole numbers that fit an int and are not negative. It is never nil
// without an error.
func readInts(d *json.Decoder) ([]int, error) {
	if err := readDelim(d, '['); err != nil {
		return nil, err
	}
	out := []int{}
	for d.More() {
		token, err := nextToken(d)
		if err != nil {
			return nil, err
		}
		text, ok := token.(json.Number)
		if !ok {
			return nil, fmt.Errorf("expected a number, found %s", tokenText(token))
		}
		n, err := strconv.ParseUint(string(text), 10, strconv.IntSize-1)
		if err != nil {
			return nil, fmt.Errorf("%s is negative, too large or not whole", tokenText(token))
		}
		out = append(out, int(n))
	}
	return out, readDelim(d, ']')
}

func nextToken(d *json.Decoder) (json.Token, error) {
	token, err := d.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("broken JSON at byte %d: %w", d.InputOffset(), err)
	}
	return token, nil
}

// tokenText prints a token for an error on one short line.
func tokenText(token json.Token) string {
	switch t := token.(type) {
	case string:
		return quote(t)
	case json.Number:
		if len(t) > 40 {
			return string(t[:40]) + "…"
		}
		return string(t)
	case nil:
		return "null"
	}
	return fmt.Sprint(token)
}
