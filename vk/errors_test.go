package vk

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestErrorsAreToldApart(t *testing.T) {
	call := func(r Result) error { return fmt.Errorf("step: %w", failed("vkCall", r)) }
	all := []error{ErrDeviceLost, ErrOutOfMemory, ErrNoDevice, ErrNoLoader, ErrValidation, ErrClosed}
	for _, c := range []struct {
		err  error
		is   error
		text string
	}{
		{call(deviceLost), ErrDeviceLost, "vkCall: device lost"},
		{call(outOfHostMemory), ErrOutOfMemory, "vkCall: out of host memory"},
		{call(outOfDeviceMemory), ErrOutOfMemory, "vkCall: out of device memory"},
		{call(-8), nil, "vkCall: VK_ERROR_FEATURE_NOT_PRESENT"},
		{call(-99), nil, "vkCall: VkResult -99"},
		{&OutOfMemoryError{Asked: 12345, Held: 7, Memory: HostVisible, Err: failed("vkAllocateMemory", outOfHostMemory)},
			ErrOutOfMemory, "out of host memory: asked for 12345 bytes with 7 held"},
		{&ValidationError{Messages: []string{"a", "b"}, Dropped: 3}, ErrValidation, "a; b; and 3 more"},
	} {
		for _, target := range all {
			if got := errors.Is(c.err, target); got != (target == c.is) {
				t.Errorf("%q is %q: %v", c.err, target, got)
			}
		}
		if !strings.Contains(c.err.Error(), c.text) || strings.Contains(c.err.Error(), "\n") {
			t.Errorf("%q lacks %q", c.err, c.text)
		}
	}
	var e *Error
	if !errors.As(call(deviceLost), &e) || e.Call != "vkCall" || e.Result != deviceLost {
		t.Errorf("as *Error: %+v", e)
	}
	if failed("vkCall", Result(5)) != nil {
		t.Error("VK_INCOMPLETE is not a failure")
	}
}
