package pytorch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// The limits of a pickle: what it makes takes memory that its own length does not bound by much.
const (
	maxPickle = 64 << 20 // bytes
	maxDepth  = 1 << 17  // values on the stack
	maxValues = 1 << 21  // values made in all, and values remembered
)

// What a pickle makes, besides nil, bool, int64, float64 and string.
type (
	list   struct{ items []any }
	tuple  []any
	number string // a whole number beyond 64 bits
	dict   struct {
		keys   []any // in order, a key that comes again at its first place
		values map[any]any
	}
)

// A machine runs the program that a pickle is, with no more at hand than plain values, and those of the
// functions and types by name that say how tensors lie in storages.
type machine struct {
	data   []byte
	at     int
	stack  []any
	marks  []int
	memo   map[uint32]any
	values int
}

// unpickle is what a pickle stands for. Nothing is run that it names. Errors say at which byte.
func unpickle(data []byte) (any, error) {
	if len(data) > maxPickle {
		return nil, fmt.Errorf("%d bytes are above the limit of %d", len(data), maxPickle)
	}
	m := &machine{data: data, memo: map[uint32]any{}}
	for {
		at := m.at
		op, err := m.take(1)
		if err == nil && op[0] == opStop {
			return m.result()
		}
		if err == nil {
			err = m.do(op[0])
		}
		if err != nil {
			return nil, fmt.Errorf("at byte %d: %w", at, err)
		}
	}
}

func (m *machine) result() (any, error) {
	if len(m.stack) != 1 || len(m.marks) != 0 {
		return nil, fmt.Errorf("it ends with %d values and %d marks, one value is expected", len(m.stack), len(m.marks))
	}
	return m.stack[0], nil
}

// do does one operation.
func (m *machine) do(op byte) error {
	f := operations[op]
	if f == nil {
		return fmt.Errorf("operation %q is none of those that tensors take", op)
	}
	return f(m)
}

// take is the next n bytes.
func (m *machine) take(n uint64) ([]byte, error) {
	if n > uint64(len(m.data)-m.at) {
		return nil, io.ErrUnexpectedEOF
	}
	part := m.data[m.at : m.at+int(n)]
	m.at += int(n)
	return part, nil
}

// size is a little-endian number of the given number of bytes.
func (m *machine) size(bytes uint64) (uint64, error) {
	part, err := m.take(bytes)
	if err != nil {
		return 0, err
	}
	var word [8]byte
	copy(word[:], part)
	return binary.LittleEndian.Uint64(word[:]), nil
}

// counted is bytes that stand behind their length, which has the given number of bytes itself.
func (m *machine) counted(bytes uint64) ([]byte, error) {
	n, err := m.size(bytes)
	if err != nil {
		return nil, err
	}
	return m.take(n)
}

// line is what comes before the next line end.
func (m *machine) line() (string, error) {
	for i, c := range m.data[m.at:] {
		if c == '\n' {
			text := string(m.data[m.at : m.at+i])
			m.at += i + 1
			return text, nil
		}
	}
	return "", io.ErrUnexpectedEOF
}

func (m *machine) push(v any) error {
	if len(m.stack) >= maxDepth {
		return fmt.Errorf("more than %d values wait for others", maxDepth)
	}
	if m.values++; m.values > maxValues {
		return fmt.Errorf("more than %d values", maxValues)
	}
	m.stack = append(m.stack, v)
	return nil
}

var errEmpty = errors.New("a value is missing")

// floor is where the values since the last mark begin.
func (m *machine) floor() int {
	if n := len(m.marks); n > 0 {
		return m.marks[n-1]
	}
	return 0
}

func (m *machine) pop() (any, error) {
	n := len(m.stack)
	if n <= m.floor() {
		return nil, errEmpty
	}
	v := m.stack[n-1]
	m.stack[n-1] = nil
	m.stack = m.stack[:n-1]
	return v, nil
}

// popped are n values, the last on top.
func (m *machine) popped(n int) ([]any, error) {
	from := len(m.stack) - n
	if from < m.floor() {
		return nil, errEmpty
	}
	all := append([]any(nil), m.stack[from:]...)
	clear(m.stack[from:])
	m.stack = m.stack[:from]
	return all, nil
}

// marked are the values since the last mark, which goes with them.
func (m *machine) marked() ([]any, error) {
	if len(m.marks) == 0 {
		return nil, errors.New("a mark is missing")
	}
	from := m.floor()
	all, err := m.popped(len(m.stack) - from)
	m.marks = m.marks[:len(m.marks)-1]
	return all, err
}

// top is the value on top, which stays there.
func (m *machine) top() (any, error) {
	n := len(m.stack)
	if n <= m.floor() {
		return nil, errEmpty
	}
	return m.stack[n-1], nil
}

func (m *machine) put(key uint64) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	if key > 1<<32-1 || len(m.memo) >= maxValues {
		return fmt.Errorf("more than %d values are remembered", maxValues)
	}
	m.memo[uint32(key)] = v
	return nil
}

func (m *machine) get(key uint64) error {
	v, ok := m.memo[uint32(key)]
	if !ok || key > 1<<32-1 {
		return fmt.Errorf("value %d was not remembered", key)
	}
	return m.push(v)
}

// add puts values at the end of the list on top.
func (m *machine) add(items []any) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	l, ok := v.(*list)
	if !ok {
		return fmt.Errorf("%s where a list is expected", describe(v))
	}
	l.items = append(l.items, items...)
	return nil
}

// set puts keys and their values, one after the other, into the dictionary on top.
func (m *machine) set(pairs []any) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	d, ok := v.(*dict)
	if !ok {
		return fmt.Errorf("%s where a dictionary is expected", describe(v))
	}
	if len(pairs)%2 != 0 {
		return errors.New("a key without a value")
	}
	for i := 0; i < len(pairs); i += 2 {
		if err := d.set(pairs[i], pairs[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (d *dict) set(key, value any) error {
	switch key.(type) {
	case string, int64, float64, bool, nil:
	default:
		return fmt.Errorf("%s as a key", describe(key))
	}
	if _, again := d.values[key]; !again {
		d.keys = append(d.keys, key)
	}
	d.values[key] = value
	return nil
}

func newDict() *dict { return &dict{values: map[any]any{}} }

// long is a little-endian number in two's complement.
func long(data []byte) any {
	if len(data) > 8 {
		return number(fmt.Sprintf("of %d bytes", len(data)))
	}
	n := int64(0)
	for i := len(data) - 1; i >= 0; i-- {
		n = n<<8 | int64(data[i])
	}
	if bits := uint(8 * len(data)); bits > 0 && bits < 64 && n>>(bits-1) != 0 {
		n -= 1 << bits
	}
	return n
}

// decimal is a number as text; "00" and "01" are truth values of old files.
func decimal(text string) (any, error) {
	switch text {
	case "00":
		return false, nil
	case "01":
		return true, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%s is no whole number of 64 bits", quote(text))
	}
	return n, nil
}

// describe says what a value is, for errors.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "a truth value"
	case int64, number:
		return "a whole number"
	case float64:
		return "a number"
	case string:
		return "the text " + quote(v)
	case *list:
		return fmt.Sprintf("a list of %d", len(v.items))
	case tuple:
		return fmt.Sprintf("a tuple of %d", len(v))
	case *dict:
		return fmt.Sprintf("a dictionary of %d", len(v.keys))
	case *storage:
		return "a storage"
	case *view:
		return "a tensor"
	case global:
		return v.String()
	}
	return fmt.Sprintf("%T", v)
}

// quote is strconv.Quote kept to one short line.
func quote(s string) string {
	const limit = 120
	if len(s) > limit {
		return strconv.Quote(s[:limit]) + "…"
	}
	return strconv.Quote(s)
}
