package vk

import (
	"errors"
	"strings"
	"testing"
)

// validated opens a device with the validation layer on whatever the environment says.
func validated(t *testing.T) *Device {
	t.Helper()
	d, err := Open(Options{Validate: true, CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestHazardIsReported leaves out a barrier on purpose.
func TestHazardIsReported(t *testing.T) {
	d := validated(t)
	p, err := d.Pipeline("axpy", codeOf(t, "axpy"), 64)
	if err != nil {
		t.Fatal(err)
	}
	x := buffer(t, d, 256, DeviceLocal, nil)
	y := buffer(t, d, 256, DeviceLocal, nil)
	c, err := d.NewCommands()
	if err != nil {
		t.Fatal(err)
	}
	push := append(words(64), floats(1)...)
	// Read after write. Two writes by dispatches would not do: the layer forgives those, as they
	// are mostly to different elements.
	c.Dispatch(p, []Span{x.Whole(), y.Whole()}, push, [3]uint32{1, 1, 1})
	c.Dispatch(p, []Span{y.Whole(), x.Whole()}, push, [3]uint32{1, 1, 1})
	err = c.End()
	var v *ValidationError
	if !errors.Is(err, ErrValidation) || !errors.As(err, &v) {
		t.Fatalf("end: %v, want a validation error", err)
	}
	if !strings.Contains(v.Error(), "SYNC-HAZARD") {
		t.Errorf("messages %q name no hazard", v.Messages)
	}
	if _, err := d.Submit(c); !errors.Is(err, ErrValidation) {
		t.Errorf("submit of a broken list: %v", err)
	}
	c.Close()
	x.Close()
	y.Close()
	if err := d.Close(); err != nil {
		t.Errorf("close: %v; the messages were returned before", err)
	}
}

// TestMessagesAreKeptOnce: a message is returned by one call, and too many are counted.
func TestMessagesAreKeptOnce(t *testing.T) {
	c := newCollector()
	defer c.close()
	for range keptMessages + 5 {
		c.add("m")
	}
	var v *ValidationError
	if err := c.take(); !errors.As(err, &v) || len(v.Messages) != keptMessages || v.Dropped != 5 {
		t.Errorf("took %+v", v)
	}
	if err := c.take(); err != nil {
		t.Errorf("took again: %v", err)
	}
	if err := (*collector)(nil).take(); err != nil {
		t.Errorf("without validation: %v", err)
	}
}

func TestMissingLayerIsAnError(t *testing.T) {
	t.Setenv("VK_LAYER_PATH", t.TempDir())
	if _, err := Open(Options{Validate: true}); !errors.Is(err, ErrValidation) {
		t.Errorf("open: %v", err)
	}
	t.Setenv("MMRUN_VALIDATE", "1")
	if _, err := Open(Options{}); !errors.Is(err, ErrValidation) {
		t.Errorf("open by the environment: %v", err)
	}
	if _, err := List(Options{}); !errors.Is(err, ErrValidation) {
		t.Errorf("list: %v", err)
	}
}

// TestVoidCallsAreChecked: what a call without a result provokes comes with the End of its list.
func TestVoidCallsAreChecked(t *testing.T) {
	d := validated(t)
	b := buffer(t, d, 64, DeviceLocal, nil)
	c, err := d.NewCommands()
	if err != nil {
		t.Fatal(err)
	}
	c.Fill(b.Whole(), 1)
	c.Fill(b.Whole(), 2) // write after write, no barrier
	c.Barrier()
	if err := c.End(); !errors.Is(err, ErrValidation) {
		t.Errorf("end: %v", err)
	}
	c.Close()
	b.Close()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
