package pytorch

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

const opStop = '.'

// operations are those of pickles that hold data, of all protocols, by their letter. What makes objects of
// classes (NEWOBJ, INST, OBJ), what asks registries of extensions and buffers outside are not among them.
var operations map[byte]func(*machine) error

func init() {
	operations = map[byte]func(*machine) error{
		0x80: opProtocol, 0x95: opFrame,
		'(': func(m *machine) error { m.marks = append(m.marks, len(m.stack)); return m.depth() },
		'0': opPop, '1': func(m *machine) error { _, err := m.marked(); return err },
		'2': func(m *machine) error { v, err := m.top(); return pushed(m, v, err) },

		'N': constant(nil), 0x88: constant(true), 0x89: constant(false),
		'J': func(m *machine) error { n, err := m.size(4); return pushed(m, int64(int32(n)), err) },
		'K': func(m *machine) error { n, err := m.size(1); return pushed(m, int64(n), err) },
		'M': func(m *machine) error { n, err := m.size(2); return pushed(m, int64(n), err) },
		'I': opInt, 'L': opLong, 'F': opFloat,
		0x8a: func(m *machine) error { data, err := m.counted(1); return pushed(m, long(data), err) },
		0x8b: func(m *machine) error { data, err := m.counted(4); return pushed(m, long(data), err) },
		'G': func(m *machine) error {
			data, err := m.take(8)
			if err != nil {
				return err
			}
			return m.push(math.Float64frombits(binary.BigEndian.Uint64(data)))
		},

		'X': text(4), 0x8c: text(1), 0x8d: text(8), // texts
		'U': text(1), 'T': text(4), // strings of Python 2
		'B': text(4), 'C': text(1), 0x8e: text(8), // bytes, of use to nobody here
		'V': opLine, 'S': opQuoted,

		')':  func(m *machine) error { return m.push(tuple{}) },
		't':  func(m *machine) error { all, err := m.marked(); return pushed(m, tuple(all), err) },
		0x85: tupleOf(1), 0x86: tupleOf(2), 0x87: tupleOf(3),
		']': func(m *machine) error { return m.push(&list{}) },
		'l': func(m *machine) error { all, err := m.marked(); return pushed(m, &list{all}, err) },
		'a': func(m *machine) error { return then(m, m.add, func() ([]any, error) { return m.popped(1) }) },
		'e': func(m *machine) error { return then(m, m.add, m.marked) },
		'}': func(m *machine) error { return m.push(newDict()) },
		'd': opDict,
		's': func(m *machine) error { return then(m, m.set, func() ([]any, error) { return m.popped(2) }) },
		'u': func(m *machine) error { return then(m, m.set, m.marked) },

		'q': func(m *machine) error { return key(m.put, m, 1) }, 'r': func(m *machine) error { return key(m.put, m, 4) },
		'h': func(m *machine) error { return key(m.get, m, 1) }, 'j': func(m *machine) error { return key(m.get, m, 4) },
		'p': func(m *machine) error { return lineKey(m.put, m) }, 'g': func(m *machine) error { return lineKey(m.get, m) },
		0x94: func(m *machine) error { return m.put(uint64(len(m.memo))) },

		'c': opGlobal, 0x93: opStackGlobal, 'R': opReduce, 'b': opBuild, 'Q': opPersistent,
	}
}

// depth bounds marks as values are bounded.
func (m *machine) depth() error {
	if len(m.marks) > maxDepth {
		return fmt.Errorf("more than %d marks", maxDepth)
	}
	return nil
}

func opProtocol(m *machine) error {
	n, err := m.size(1)
	if err == nil && n > 5 {
		err = fmt.Errorf("protocol %d is not known (0 to 5 are)", n)
	}
	return err
}

func opFrame(m *machine) error {
	_, err := m.size(8) // how long the frame is, which is of use to readers of streams
	return err
}

func opPop(m *machine) error {
	if len(m.marks) > 0 && m.floor() == len(m.stack) { // a mark counts as a value here
		m.marks = m.marks[:len(m.marks)-1]
		return nil
	}
	_, err := m.pop()
	return err
}

// pushed pushes a value unless there is an error.
func pushed(m *machine, v any, err error) error {
	if err != nil {
		return err
	}
	return m.push(v)
}

// then hands what is taken from the stack over.
func then(m *machine, use func([]any) error, take func() ([]any, error)) error {
	all, err := take()
	if err != nil {
		return err
	}
	return use(all)
}

func constant(v any) func(*machine) error { return func(m *machine) error { return m.push(v) } }

// text pushes a string that stands behind its length, which has the given number of bytes.
func text(bytes uint64) func(*machine) error {
	return func(m *machine) error {
		data, err := m.counted(bytes)
		return pushed(m, string(data), err)
	}
}

func tupleOf(n int) func(*machine) error {
	return func(m *machine) error {
		all, err := m.popped(n)
		return pushed(m, tuple(all), err)
	}
}

func opInt(m *machine) error {
	line, err := m.line()
	if err != nil {
		return err
	}
	v, err := decimal(line)
	return pushed(m, v, err)
}

func opLong(m *machine) error {
	line, err := m.line()
	if err != nil {
		return err
	}
	v, err := decimal(strings.TrimSuffix(line, "L"))
	return pushed(m, v, err)
}

func opFloat(m *machine) error {
	line, err := m.line()
	if err != nil {
		return err
	}
	v, err := strconv.ParseFloat(line, 64)
	if err != nil {
		return fmt.Errorf("%s is no number", quote(line))
	}
	return m.push(v)
}

func opLine(m *machine) error {
	line, err := m.line()
	if err == nil && (strings.Contains(line, `\`) || !utf8.ValidString(line)) {
		err = fmt.Errorf("the text %s has letters that are escaped", quote(line))
	}
	return pushed(m, line, err)
}

func opQuoted(m *machine) error {
	line, err := m.line()
	if err != nil {
		return err
	}
	n := len(line)
	if n < 2 || line[0] != line[n-1] || line[0] != '\'' && line[0] != '"' || strings.Contains(line, `\`) {
		return fmt.Errorf("%s is no text in quotes, or has letters that are escaped", quote(line))
	}
	return m.push(line[1 : n-1])
}

func opDict(m *machine) error {
	all, err := m.marked()
	if err != nil {
		return err
	}
	if err := m.push(newDict()); err != nil {
		return err
	}
	return m.set(all)
}

// key reads the number of what is remembered; it has the given number of bytes.
func key(use func(uint64) error, m *machine, bytes uint64) error {
	n, err := m.size(bytes)
	if err != nil {
		return err
	}
	return use(n)
}

func lineKey(use func(uint64) error, m *machine) error {
	line, err := m.line()
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(line, 10, 32)
	if err != nil {
		return fmt.Errorf("%s is no number of something remembered", quote(line))
	}
	return use(n)
}
