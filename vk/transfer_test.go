package vk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

// noise is n bytes that repeat nowhere.
func noise(n int64, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n+8)
	for i := int64(0); i < n; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], r.Uint64())
	}
	return b[:n]
}

// eachWay runs a test with uploads in place, where the device has memory for that, and staged.
func eachWay(t *testing.T, f func(t *testing.T, d *Device)) {
	t.Run("in place", func(t *testing.T) { f(t, open(t)) })
	t.Run("staged", func(t *testing.T) {
		d := open(t)
		d.heap.blind = true
		f(t, d)
	})
}

func TestUploadDownload(t *testing.T) { eachWay(t, testUploadDownload) }

func testUploadDownload(t *testing.T, d *Device) {
	for _, where := range []Memory{DeviceLocal, HostVisible} {
		for _, n := range []int64{1, 3, 4096, slotBytes, slotBytes + 1, 5*slotBytes + 12345} {
			b := buffer(t, d, n+32, where, nil)
			data := noise(n, uint64(n))
			upload(t, d, b.Span(7, n), data)
			got := download(t, d, b.Whole())
			if !bytes.Equal(got[7:7+n], data) {
				t.Errorf("%v, %d bytes: not what was uploaded", where, n)
			}
			if !allZero(got[:7]) || !allZero(got[7+n:]) {
				t.Errorf("%v, %d bytes: written around the span", where, n)
			}
			if where == HostVisible && !bytes.Equal(b.Mapped(), got) {
				t.Errorf("%d bytes: Mapped differs from Download", n)
			}
			if where == DeviceLocal && b.Mapped() != nil {
				t.Error("device memory is mapped")
			}
			b.Close()
		}
	}
	if s := d.Stats(); s.StagingBytes != ringSlots*slotBytes {
		t.Errorf("%d bytes of staging", s.StagingBytes)
	}
}

// TestUploadPieces: pieces follow one another and are whole multiples, the last ends the span.
func TestUploadPieces(t *testing.T) { eachWay(t, testUploadPieces) }

func testUploadPieces(t *testing.T, d *Device) {
	const n = 2*slotBytes + 100
	b := buffer(t, d, n, DeviceLocal, nil)
	for _, align := range []int64{0, 1, 12, 4096, 3 << 20, slotBytes} {
		at := int64(0)
		err := d.Upload(b.Whole(), align, func(p []byte, off int64) error {
			if off != at || len(p) == 0 || cap(p) != len(p) {
				t.Errorf("align %d: piece of %d at %d, want it at %d", align, len(p), off, at)
			}
			at += int64(len(p))
			if at < n && align > 0 && int64(len(p))%align != 0 {
				t.Errorf("align %d: piece of %d", align, len(p))
			}
			return nil
		})
		if err != nil || at != n {
			t.Errorf("align %d: ended at %d, %v", align, at, err)
		}
	}
}

func TestTransferRefuses(t *testing.T) {
	d := open(t)
	b := buffer(t, d, 64, DeviceLocal, nil)
	no := func([]byte, int64) error { t.Error("fill was called"); return nil }
	for want, err := range map[string]error{
		"alignment":                      d.Upload(b.Whole(), slotBytes+1, no),
		"bytes 60+8 are not inside":      d.Upload(b.Span(60, 8), 1, no),
		"upload: no buffer":              d.Upload(Span{}, 1, no),
		"64 bytes of a buffer into 63":   d.Download(make([]byte, 63), b.Whole()),
		"download: bytes 64+1 are not":   d.Download(make([]byte, 1), b.Span(64, 1)),
		"8 bytes of a buffer into 0 byt": d.Download(nil, b.Span(0, 8)),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestNewBuffersAreZero reuses memory that held something else, also where a fill fails half way.
func TestNewBuffersAreZero(t *testing.T) { eachWay(t, testNewBuffersAreZero) }

func testNewBuffersAreZero(t *testing.T, d *Device) {
	const n = 2*slotBytes + 13
	for _, where := range []Memory{DeviceLocal, HostVisible} {
		for range 2 {
			b := buffer(t, d, n, where, nil)
			if !allZero(download(t, d, b.Whole())) {
				t.Errorf("%v: a new buffer is not zero", where)
			}
			upload(t, d, b.Whole(), noise(n, 3))
			b.Close()
		}
	}
	broken := errors.New("broken source")
	b := buffer(t, d, n, DeviceLocal, nil)
	err := d.Upload(b.Whole(), 1, func(p []byte, off int64) error {
		if off > 0 {
			return broken
		}
		copy(p, noise(slotBytes, 4))
		return nil
	})
	if !errors.Is(err, broken) {
		t.Fatalf("upload: %v", err)
	}
	if !allZero(download(t, d, b.Whole())) {
		t.Error("after a failed first upload a buffer is not zero")
	}
	if n := len(d.transfers.ring); n != len(d.transfers.slots) {
		t.Errorf("%d slots came back of %d", n, len(d.transfers.slots))
	}
}

// TestUploadOrder: an upload comes after what was submitted before it and before what follows.
func TestUploadOrder(t *testing.T) { eachWay(t, testUploadOrder) }

func testUploadOrder(t *testing.T, d *Device) {
	p := pipeline(t, d, "axpy", 64)
	const n = 64 * 1024
	one := make([]float32, n)
	for i := range one {
		one[i] = 1
	}
	x, y := buffer(t, d, 4*n, DeviceLocal, floats(one...)), buffer(t, d, 4*n, DeviceLocal, nil)
	c := record(t, d, func(c *Commands) {
		c.Dispatch(p, []Span{x.Whole(), y.Whole()}, append(words(n), floats(1)...), [3]uint32{n / 64, 1, 1})
	})
	for round := range 5 {
		base := make([]float32, n)
		for i := range base {
			base[i] = float32(100 * round)
		}
		upload(t, d, y.Whole(), floats(base...))
		var last Pending
		for range 3 {
			var err error
			if last, err = d.Submit(c); err != nil {
				t.Fatal(err)
			}
		}
		got := download(t, d, y.Whole())
		for _, i := range []int{0, 1, n / 2, n - 1} {
			if want := float32(100*round + 3); float(got, i) != want {
				t.Fatalf("round %d: y[%d] = %g, want %g", round, i, float(got, i), want)
			}
		}
		if err := last.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}
