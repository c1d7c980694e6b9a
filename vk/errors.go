package vk

import (
	"errors"
	"fmt"
	"strings"

	vulkan "github.com/goki/vulkan"
)

// The conditions a caller may want to tell apart with errors.Is.
var (
	// ErrNoLoader: the Vulkan loader library is not on this machine.
	ErrNoLoader = errors.New("no Vulkan loader (libvulkan.so.1): install libvulkan1 (Debian, Ubuntu), vulkan-loader (Fedora) or vulkan-icd-loader (Arch)")
	// ErrNoDevice: the loader works but no device fits.
	ErrNoDevice = errors.New("no Vulkan device")
	// ErrDeviceLost: the device reset or was removed; only Close is of use after it.
	ErrDeviceLost = errors.New("device lost")
	// ErrOutOfMemory: the device or the host has no memory left; see OutOfMemoryError.
	ErrOutOfMemory = errors.New("out of memory")
	// ErrValidation: the validation layer objected; see ValidationError.
	ErrValidation = errors.New("validation")
	// ErrClosed: the device, buffer or command list was closed before.
	ErrClosed = errors.New("closed")
)

// Result is a VkResult.
type Result int32

var resultNames = map[Result]string{
	1: "VK_NOT_READY", 2: "VK_TIMEOUT", 5: "VK_INCOMPLETE",
	-1: "VK_ERROR_OUT_OF_HOST_MEMORY", -2: "VK_ERROR_OUT_OF_DEVICE_MEMORY",
	-3: "VK_ERROR_INITIALIZATION_FAILED", -4: "VK_ERROR_DEVICE_LOST", -5: "VK_ERROR_MEMORY_MAP_FAILED",
	-6: "VK_ERROR_LAYER_NOT_PRESENT", -7: "VK_ERROR_EXTENSION_NOT_PRESENT",
	-8: "VK_ERROR_FEATURE_NOT_PRESENT", -9: "VK_ERROR_INCOMPATIBLE_DRIVER",
	-10: "VK_ERROR_TOO_MANY_OBJECTS", -11: "VK_ERROR_FORMAT_NOT_SUPPORTED",
	-12: "VK_ERROR_FRAGMENTED_POOL", -13: "VK_ERROR_UNKNOWN", -1000069000: "VK_ERROR_OUT_OF_POOL_MEMORY",
	-1000161000: "VK_ERROR_FRAGMENTATION",
}

// String is the name in the Vulkan specification.
func (r Result) String() string {
	if s, ok := resultNames[r]; ok {
		return s
	}
	return fmt.Sprintf("VkResult %d", int32(r))
}

// The results the package acts on.
const (
	success            = Result(vulkan.Success)
	timeout            = Result(vulkan.Timeout)
	outOfHostMemory    = Result(vulkan.ErrorOutOfHostMemory)
	outOfDeviceMemory  = Result(vulkan.ErrorOutOfDeviceMemory)
	deviceLost         = Result(vulkan.ErrorDeviceLost)
	incompatibleDriver = Result(vulkan.ErrorIncompatibleDriver)
)

// Error is a Vulkan call that failed. errors.Is(err, ErrDeviceLost) and errors.Is(err,
// ErrOutOfMemory) look at Result.
type Error struct {
	Call   string // the Vulkan function
	Result Result
}

func (e *Error) Error() string {
	switch e.Result {
	case deviceLost:
		return fmt.Sprintf("%s: device lost (it was reset, removed, or a submission ran past the driver's time limit): a smaller --chunk makes submissions shorter, mmrun bench shows the longest, and mmrun selftest tries every kernel", e.Call)
	case outOfHostMemory:
		return e.Call + ": out of host memory"
	case outOfDeviceMemory:
		return e.Call + ": out of device memory"
	}
	return e.Call + ": " + e.Result.String()
}

// Is matches ErrDeviceLost and ErrOutOfMemory.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrDeviceLost:
		return e.Result == deviceLost
	case ErrOutOfMemory:
		return e.Result == outOfHostMemory || e.Result == outOfDeviceMemory
	}
	return false
}

// failed is nil for a success code (VkResult codes >= 0 are not failures) and an *Error otherwise.
func failed[R ~int32](call string, r R) error {
	if r >= 0 {
		return nil
	}
	return &Error{Call: call, Result: Result(r)}
}

// OutOfMemoryError is an allocation that no memory type could serve. It matches ErrOutOfMemory.
type OutOfMemoryError struct {
	Asked  int64  // bytes the failed allocation asked for
	Held   int64  // bytes the device held in this kind of memory at that time
	Memory Memory // kind of memory
	Err    error  // the last Vulkan error, an *Error
}

func (e *OutOfMemoryError) Error() string {
	return fmt.Sprintf("out of %v memory: asked for %d bytes with %d held: %v", e.Memory, e.Asked, e.Held, e.Err)
}

// Is matches ErrOutOfMemory.
func (e *OutOfMemoryError) Is(target error) bool { return target == ErrOutOfMemory }

// Unwrap gives the Vulkan error.
func (e *OutOfMemoryError) Unwrap() error { return e.Err }

// ValidationError holds what the validation layer reported since the last call. It matches
// ErrValidation.
type ValidationError struct {
	Messages []string // each with its id; at most the first 16
	Dropped  int      // how many more there were
}

func (e *ValidationError) Error() string {
	s := "validation: " + strings.Join(e.Messages, "; ")
	if e.Dropped > 0 {
		s += fmt.Sprintf("; and %d more", e.Dropped)
	}
	return s
}

// Is matches ErrValidation.
func (e *ValidationError) Is(target error) bool { return target == ErrValidation }
