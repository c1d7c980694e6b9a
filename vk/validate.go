package vk

/*
#include "shim.h"
*/
import "C"

import (
	"strings"
	"sync"
)

const (
	validationLayer = "VK_LAYER_KHRONOS_validation"
	keptMessages    = 16
)

// collector gathers the validation messages of one instance. The layer calls from whatever thread
// it likes, so it has its own lock.
type collector struct {
	id uintptr

	mu       sync.Mutex
	messages []string
	dropped  int
}

// collectors finds a collector by the id handed to C, which must not keep Go pointers.
var collectors = struct {
	sync.Mutex
	next uintptr
	byID map[uintptr]*collector
}{byID: map[uintptr]*collector{}}

func newCollector() *collector {
	collectors.Lock()
	defer collectors.Unlock()
	collectors.next++
	c := &collector{id: collectors.next}
	collectors.byID[c.id] = c
	return c
}

// close forgets the collector; messages that still come for it are lost.
func (c *collector) close() {
	if c == nil {
		return
	}
	collectors.Lock()
	defer collectors.Unlock()
	delete(collectors.byID, c.id)
}

func (c *collector) add(m string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.messages) == keptMessages {
		c.dropped++
		return
	}
	c.messages = append(c.messages, m)
}

// take returns the messages since the last take as a *ValidationError, or nil. A nil collector
// (validation off) has none.
func (c *collector) take() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.messages) == 0 {
		return nil
	}
	e := &ValidationError{Messages: c.messages, Dropped: c.dropped}
	c.messages, c.dropped = nil, 0
	return e
}

//export mmrMessage
func mmrMessage(id C.uintptr_t, severity, types C.uint32_t, name, text *C.char) {
	collectors.Lock()
	c := collectors.byID[uintptr(id)]
	collectors.Unlock()
	if c == nil {
		return
	}
	m := ""
	if text != nil {
		m = strings.Join(strings.Fields(C.GoString(text)), " ")
	}
	if name != nil {
		m = C.GoString(name) + ": " + m
	}
	c.add(m)
}
