package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
)

// ErrChanged is a file that another program has changed while it was read: it was cut short, or written to.
var ErrChanged = errors.New("the file was changed while it was read")

// A mapping is a file as it was when it was mapped.
type mapping struct {
	name string // the path, as errors call it
	data []byte
	info fs.FileInfo
}

// mappings are the maps that are in use.
var mappings struct {
	sync.Mutex
	all []*mapping
}

func (m *mapping) begin() uintptr { return reflect.ValueOf(m.data).Pointer() }

// register makes a map known to Guard.
func (m *mapping) register() {
	mappings.Lock()
	defer mappings.Unlock()
	mappings.all = append(mappings.all, m)
}

// forget is the opposite. It says whether the file is still as it was.
func (m *mapping) forget() error {
	mappings.Lock()
	defer mappings.Unlock()
	mappings.all = slices.DeleteFunc(mappings.all, func(other *mapping) bool { return other == m })
	now, err := os.Stat(m.name)
	if err != nil || !os.SameFile(now, m.info) { // another file has taken the name: what was mapped is as it was
		return nil
	}
	if now.Size() != m.info.Size() || !now.ModTime().Equal(m.info.ModTime()) {
		return m.changed(now)
	}
	return nil
}

// changed is the error of a file that is another one now.
func (m *mapping) changed(now fs.FileInfo) error {
	if now != nil && now.Size() != m.info.Size() {
		return fmt.Errorf("%s: %w: it had %d bytes and has %d", m.name, ErrChanged, m.info.Size(), now.Size())
	}
	return fmt.Errorf("%s: %w", m.name, ErrChanged)
}

// fault is the error of a page that could not be read.
func (m *mapping) fault() error {
	now, err := os.Stat(m.name)
	if err == nil && os.SameFile(now, m.info) && now.Size() >= m.info.Size() && now.ModTime().Equal(m.info.ModTime()) {
		return fmt.Errorf("%s: cannot be read: an error of the disk", m.name)
	}
	if err != nil || !os.SameFile(now, m.info) {
		now = nil
	}
	return m.changed(now)
}

// A faultError is what reading a page that is not there panics with.
type faultError interface {
	runtime.Error
	Addr() uintptr
}

// Guard calls read, which looks at a map of Map. Where a page of it cannot be read, as the file has become shorter or its disk
// fails, Guard returns an error that names the file instead of ending the program; it is [ErrChanged] in the first case,
// and [fs.ErrClosed] where the map was given back. It holds for the goroutine of the caller alone.
func Guard(read func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if cause := recover(); cause != nil {
			err = faultOf(cause)
		}
	}()
	return read()
}

// faultOf is the error of what a guarded function panicked with; it panics again with what is no fault.
func faultOf(cause any) error {
	f, ok := cause.(faultError)
	if !ok {
		panic(cause)
	}
	mappings.Lock()
	defer mappings.Unlock()
	for _, m := range mappings.all {
		if at := f.Addr(); at >= m.begin() && at-m.begin() < uintptr(len(m.data)) {
			return m.fault()
		}
	}
	return fmt.Errorf("reading a map of a file: %w", fs.ErrClosed)
}

// guarded is a tensor whose rows are copied out of its file's map, so that nobody else reads that.
func (t Tensor) guarded() Tensor {
	read := t.Row
	t.Row = func(i int, room []byte) (row []byte, err error) {
		err = Guard(func() error {
			row, err := read(i, room)
			if err == nil && !within(row, room) {
				row = append(room[:0], row...)
			}
			room = row
			return err
		})
		if err != nil {
			return nil, err
		}
		return room, nil
	}
	return t
}

// within says whether row lies in the memory of room.
func within(row, room []byte) bool {
	return len(row) == 0 || cap(room) > 0 && &row[0] == &room[:1][0]
}
