package vk

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"testing"
)

// open opens the default device with a cache folder of the test's own, and closes it at the end of
// the test, which fails if anything was not closed or a handle is left.
func open(t testing.TB) *Device {
	t.Helper()
	d, err := Open(Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatalf("no device: %v", err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil && !errors.Is(err, ErrClosed) {
			t.Errorf("close: %v", err)
		}
		for kind, n := range d.Stats().Handles {
			if n != 0 {
				t.Errorf("after close: %d handles of kind %s", n, kind)
			}
		}
	})
	return d
}

// codeOf reads a test shader.
func codeOf(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".spv")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func floats(v ...float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func float(b []byte, i int) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])) }

func words(v ...uint32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	return b
}

// buffer makes a buffer that the test closes, with data in it when data is not nil.
func buffer(t testing.TB, d *Device, size int64, where Memory, data []byte) *Buffer {
	t.Helper()
	b, err := d.NewBuffer(size, where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if data != nil {
		upload(t, d, b.Span(0, int64(len(data))), data)
	}
	return b
}

func upload(t testing.TB, d *Device, dst Span, data []byte) {
	t.Helper()
	if err := d.Upload(dst, 4, func(p []byte, off int64) error { copy(p, data[off:]); return nil }); err != nil {
		t.Fatal(err)
	}
}

func download(t testing.TB, d *Device, s Span) []byte {
	t.Helper()
	b := make([]byte, s.Size)
	if err := d.Download(b, s); err != nil {
		t.Fatal(err)
	}
	return b
}

// record makes an ended command list that the test closes.
func record(t testing.TB, d *Device, f func(c *Commands)) *Commands {
	t.Helper()
	c, err := d.NewCommands()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	f(c)
	if err := c.End(); err != nil {
		t.Fatal(err)
	}
	return c
}

func submit(t testing.TB, d *Device, cs ...*Commands) {
	t.Helper()
	p, err := d.Submit(cs...)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
}
