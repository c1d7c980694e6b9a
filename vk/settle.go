package vk

import (
	"errors"
	"fmt"
	"time"

	vulkan "github.com/goki/vulkan"
)

// How often a driver may say that it cannot tell whether a submission has ended, and what is between.
const (
	unknownTries = 20
	unknownPause = 10 * time.Millisecond
)

// settle waits for the end of a submission of which a wait has failed, for want of memory say: until that end nothing of what
// the device uses may be freed. nil is that the submission has ended well after all. An error is that of a lost device, or
// says that nobody knows: then nothing of the device is ever freed.
func (d *Device) settle(fence vulkan.Fence, err error) error {
	if err == nil || errors.Is(err, ErrDeviceLost) {
		return d.lost(err)
	}
	for tries := 0; tries < unknownTries; {
		switch r := vulkan.GetFenceStatus(d.handle, fence); Result(r) {
		case success:
			return nil
		case deviceLost:
			return d.lost(failed("vkGetFenceStatus", r))
		default:
			if r < 0 {
				tries++
			}
			time.Sleep(unknownPause)
		}
	}
	switch r := Result(vulkan.DeviceWaitIdle(d.handle)); r {
	case success:
		return nil
	case deviceLost:
		return failed("vkDeviceWaitIdle", r)
	}
	d.stuck.Store(true)
	return err
}

// lost gives a device that is lost the time to let go of what it used, and returns err.
func (d *Device) lost(err error) error {
	if err != nil {
		vulkan.DeviceWaitIdle(d.handle) // it says that the device is lost
	}
	return err
}

// leave is the error of a device that nobody knows to be idle, of which nothing may be freed; nil when that is known.
func (d *Device) leave() error {
	if d.stuck.Load() {
		return fmt.Errorf("device %s: it may still be at work, and what it uses is not freed", d.phys.info.Name)
	}
	return nil
}
