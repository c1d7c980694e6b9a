package gguf

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

const (
	magic            = "GGUF"
	maxInt           = math.MaxInt
	maxDims          = 4
	maxKey           = 1<<16 - 1 // bytes of the name of a key
	maxName          = 64        // bytes of the name of a tensor
	defaultAlignment = 32
	alignmentKey     = "general.alignment"
)

// header is what a file says before its numbers, and where those lie.
type header struct {
	meta    map[string]value
	tensors []tensor
}

// tensor is one of a file. Its dimensions have the fastest first, as in the file; numbers alias the file.
type tensor struct {
	name   string
	dtype  dtype
	layout layout
	dims   []int
	offset uint64 // in the part of the file with the numbers
	data   []byte
}

// parse reads a whole file. Nothing that it says is used before it is checked against the bytes there are, and
// no more is allocated than a few times of what was read.
func parse(data []byte) (*header, error) {
	c := &cursor{data: data}
	tensors, keys, err := c.begin()
	if err != nil {
		return nil, err
	}
	h := &header{meta: map[string]value{}}
	for i := range keys {
		if err := h.readKey(c); err != nil {
			return nil, fmt.Errorf("metadata %d of %d: %w", i+1, keys, err)
		}
	}
	for i := range tensors {
		if err := h.readTensor(c); err != nil {
			return nil, fmt.Errorf("tensor %d of %d: %w", i+1, tensors, err)
		}
	}
	return h, h.place(c)
}

// begin reads what every file begins with.
func (c *cursor) begin() (tensors, keys uint64, err error) {
	start, err := c.take(4)
	if err != nil {
		return 0, 0, err
	}
	if string(start) != magic {
		return 0, 0, fmt.Errorf("not a GGUF file: it begins with %s", quote(string(start)))
	}
	version, err := c.uint32()
	if err != nil {
		return 0, 0, err
	}
	switch {
	case version == 2 || version == 3:
	case version&0xffff == 0:
		return 0, 0, errors.New("a big-endian GGUF file; only little-endian ones are read")
	default:
		return 0, 0, fmt.Errorf("version %d of the GGUF format is not supported (2 and 3 are)", version)
	}
	if tensors, err = c.uint64(); err == nil {
		keys, err = c.uint64()
	}
	const leastTensor, leastKey = 24, 13 // bytes
	left := uint64(len(c.data))
	switch {
	case err != nil:
	case tensors > left/leastTensor:
		err = fmt.Errorf("%d tensors do not fit into a file of %d bytes", tensors, left)
	case keys > left/leastKey:
		err = fmt.Errorf("%d keys of metadata do not fit into a file of %d bytes", keys, left)
	}
	return tensors, keys, err
}

// readKey reads a key and its value.
func (h *header) readKey(c *cursor) error {
	name, err := c.text(maxKey)
	if err != nil {
		return fmt.Errorf("its name: %w", err)
	}
	if _, twice := h.meta[name]; twice {
		return fmt.Errorf("%s comes twice", quote(name))
	}
	v, err := c.value()
	if err != nil {
		return fmt.Errorf("%s: %w", quote(name), err)
	}
	h.meta[name] = v
	return nil
}

// readTensor reads what is said of a tensor.
func (h *header) readTensor(c *cursor) error {
	name, err := c.text(maxName)
	if err != nil {
		return fmt.Errorf("its name: %w", err)
	}
	t := tensor{name: name}
	if err := t.read(c); err != nil {
		return fmt.Errorf("%s: %w", quote(name), err)
	}
	h.tensors = append(h.tensors, t)
	return nil
}

func (t *tensor) read(c *cursor) error {
	dims, err := c.uint32()
	if err != nil {
		return err
	}
	if dims > maxDims {
		return fmt.Errorf("%d dimensions, at most %d are allowed", dims, maxDims)
	}
	for i := range dims {
		n, err := c.uint64()
		if err != nil {
			return err
		}
		if n > maxInt {
			return fmt.Errorf("dimension %d is %d", i, n)
		}
		t.dims = append(t.dims, int(n))
	}
	number, err := c.uint32()
	if err != nil {
		return err
	}
	t.dtype = dtype(number)
	if t.layout, err = t.dtype.lookUp(); err != nil {
		return err
	}
	t.offset, err = c.uint64()
	return err
}

// alignment is what the file says of how tensors are aligned.
func (h *header) alignment() (uint64, error) {
	v, ok := h.meta[alignmentKey]
	if !ok {
		return defaultAlignment, nil
	}
	n, _ := v.whole()
	switch {
	case v.kind != kindUint32:
		return 0, fmt.Errorf("%s: is of kind %s, not uint32", alignmentKey, v)
	case n == 0 || n&(n-1) != 0:
		return 0, fmt.Errorf("%s: %d is no power of two", alignmentKey, n)
	}
	return uint64(n), nil
}

// place finds the numbers of every tensor.
func (h *header) place(c *cursor) error {
	align, err := h.alignment()
	if err != nil {
		return err
	}
	var numbers []byte
	if start := (uint64(c.at) + align - 1) &^ (align - 1); start <= uint64(len(c.data)) {
		numbers = c.data[start:]
	} else if len(h.tensors) > 0 {
		return fmt.Errorf("%s: %d puts the tensors behind the end of the file's %d bytes: %w", alignmentKey, align, len(c.data), io.ErrUnexpectedEOF)
	}
	seen := make(map[string]bool, len(h.tensors))
	for i := range h.tensors {
		t := &h.tensors[i]
		if seen[t.name] {
			return fmt.Errorf("tensor %s comes twice", quote(t.name))
		}
		seen[t.name] = true
		if err := t.place(numbers, align); err != nil {
			return fmt.Errorf("tensor %s: %w", quote(t.name), err)
		}
	}
	return apart(h.tensors)
}

func (t *tensor) place(numbers []byte, align uint64) error {
	size, err := t.layout.size(t.dims)
	left := uint64(len(numbers))
	switch {
	case err != nil:
		return err
	case t.offset%align != 0:
		return fmt.Errorf("offset %d is no multiple of the alignment of %d", t.offset, align)
	case t.offset > left || uint64(size) > left-t.offset:
		return fmt.Errorf("%d bytes from offset %d are beyond the %d that the file has: %w", size, t.offset, left, io.ErrUnexpectedEOF)
	}
	end := t.offset + uint64(size)
	t.data = numbers[t.offset:end:end]
	return nil
}

// apart is an error when two tensors share bytes.
func apart(tensors []tensor) error {
	order := make([]int, len(tensors))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(tensors[a].offset, tensors[b].offset) })
	last, end := "", uint64(0)
	for _, i := range order {
		t := &tensors[i]
		if len(t.data) == 0 {
			continue
		}
		if t.offset < end {
			return fmt.Errorf("tensor %s: lies within tensor %s", quote(t.name), quote(last))
		}
		last, end = t.name, t.offset+uint64(len(t.data))
	}
	return nil
}

// cursor goes through the bytes of a file.
type cursor struct {
	data []byte
	at   int
}

// take is the next n bytes.
func (c *cursor) take(n uint64) ([]byte, error) {
	if left := len(c.data) - c.at; n > uint64(left) {
		return nil, fmt.Errorf("%d bytes from byte %d are beyond the file's %d: %w", n, c.at, len(c.data), io.ErrUnexpectedEOF)
	}
	from := c.at
	c.at += int(n)
	return c.data[from:c.at:c.at], nil
}

func (c *cursor) uint32() (uint32, error) {
	b, err := c.take(4)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

func (c *cursor) uint64() (uint64, error) {
	b, err := c.take(8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

// bytes is a string of at most the given number of bytes, as it lies in the file.
func (c *cursor) bytes(most uint64) ([]byte, error) {
	n, err := c.uint64()
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, fmt.Errorf("%d bytes are more than the %d there may be", n, most)
	}
	return c.take(n)
}

func (c *cursor) text(most uint64) (string, error) {
	b, err := c.bytes(most)
	return string(b), err
}

// value reads a kind and a value of it.
func (c *cursor) value() (value, error) {
	number, err := c.uint32()
	if err != nil {
		return value{}, err
	}
	v := value{kind: kind(number)}
	switch {
	case v.kind >= kindEnd:
		return value{}, fmt.Errorf("%s of a value is not known", v.kind)
	case v.kind == kindString:
		v.raw, err = c.bytes(maxInt)
	case v.kind == kindArray:
		err = c.array(&v)
	default:
		v.raw, err = c.take(uint64(kindSizes[v.kind]))
	}
	return v, err
}

// array reads an array.
func (c *cursor) array(v *value) error {
	number, err := c.uint32()
	if err != nil {
		return err
	}
	n, err := c.uint64()
	if err != nil {
		return err
	}
	v.elem = kind(number)
	size, left := uint64(8), uint64(len(c.data)-c.at) // a string has 8 bytes at least
	switch {
	case v.elem >= kindEnd:
		return fmt.Errorf("an array of %s, which is not known", v.elem)
	case v.elem == kindArray:
		return errors.New("an array of arrays is not supported")
	case v.elem != kindString:
		size = uint64(kindSizes[v.elem])
	}
	if n > left/size {
		return fmt.Errorf("an array of %d %s is beyond the file's %d bytes: %w", n, v.elem, len(c.data), io.ErrUnexpectedEOF)
	}
	v.n = int(n)
	if v.elem != kindString {
		v.raw, err = c.take(n * size)
		return err
	}
	from := c.at
	for i := range n {
		if _, err := c.bytes(maxInt); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
	}
	v.raw = c.data[from:c.at:c.at]
	return nil
}

// quote is strconv.Quote kept to one short line: names come out of the file and may be of any length.
func quote(s string) string {
	const limit = 120
	if len(s) > limit {
		return strconv.Quote(s[:limit]) + "…"
	}
	return strconv.Quote(s)
}
