package server

import (
	"container/list"
	"sync"

	"github.com/mmrun/mmrun/engine"
)

// A place is where a state stands: after which tokens, and of which model.
type place struct {
	model [32]byte
	sum   engine.Digest
}

// A stateCache keeps states of sequences, those longest unused going first when there are more bytes than it may
// have: to the disk if there is one, where the same holds. What it has is only ever what was computed: with it or
// without, the same tokens come.
type stateCache struct {
	mu       sync.Mutex
	most     int64
	bytes    int64
	sessions int64 // of them, those that sessions have here; they do not go
	entries  map[place]*list.Element
	order    *list.List // of *kept, the one used last in front
	disk     *diskCache // nil without one
	hits     int64
}

type kept struct {
	place
	data []byte
}

// entryBytes is what an entry takes beside its state, about.
const entryBytes = 256

func newStateCache(most int64, disk *diskCache) *stateCache {
	return &stateCache{most: most, entries: map[place]*list.Element{}, order: list.New(), disk: disk}
}

// longest returns the state after the most of a sequence's first tokens that is kept, and after how many. The
// zero one with no data is the beginning.
func (c *stateCache) longest(model [32]byte, tokens []int32, own *saved) saved {
	if c.most == 0 && own == nil {
		return saved{}
	}
	var found []trace
	sum := engine.Digest{}
	for i, id := range tokens {
		sum = sum.Then(id)
		if c.knows(place{model, sum}) || own != nil && own.trace == (trace{int64(i + 1), sum}) {
			found = append(found, trace{int64(i + 1), sum})
		}
	}
	for n := len(found) - 1; n >= 0; n-- {
		t := found[n]
		if own != nil && own.trace == t {
			return *own
		}
		if data := c.get(place{model, t.sum}); data != nil {
			return saved{t, data}
		}
	}
	return saved{}
}

func (c *stateCache) knows(p place) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries[p] != nil || c.disk != nil && c.disk.has(p)
}

// has says whether a state is kept, and counts as a use of it.
func (c *stateCache) has(p place) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[p]; e != nil {
		c.order.MoveToFront(e)
		return true
	}
	return c.disk != nil && c.disk.has(p)
}

// get returns a state, nil when it is not kept any longer.
func (c *stateCache) get(p place) []byte {
	c.mu.Lock()
	if e := c.entries[p]; e != nil {
		defer c.mu.Unlock()
		c.order.MoveToFront(e)
		c.hits++
		return e.Value.(*kept).data
	}
	c.mu.Unlock()
	if c.disk == nil {
		return nil
	}
	data := c.disk.get(p)
	if data != nil {
		c.put(p, data)
		c.mu.Lock()
		c.hits++
		c.mu.Unlock()
	}
	return data
}

// put keeps a state.
func (c *stateCache) put(p place, data []byte) {
	size := int64(len(data)) + entryBytes
	c.mu.Lock()
	if e := c.entries[p]; e != nil {
		c.order.MoveToFront(e)
		c.mu.Unlock()
		return
	}
	var out []*kept
	if size <= c.most-c.sessions {
		c.entries[p] = c.order.PushFront(&kept{p, data})
		c.bytes += size
		out = c.shrink()
	}
	c.mu.Unlock()
	c.spill(out)
}

// shrink takes out what is too much. The caller has the lock.
func (c *stateCache) shrink() (out []*kept) {
	for c.bytes+c.sessions > c.most && c.order.Len() > 0 {
		e := c.order.Back()
		k := c.order.Remove(e).(*kept)
		delete(c.entries, k.place)
		c.bytes -= int64(len(k.data)) + entryBytes
		out = append(out, k)
	}
	return out
}

// spill moves what was taken out to the disk.
func (c *stateCache) spill(out []*kept) {
	if c.disk == nil {
		return
	}
	for _, k := range out {
		c.disk.put(k.place, k.data)
	}
}

// drop forgets a state that turned out to be of no use.
func (c *stateCache) drop(p place) {
	c.mu.Lock()
	if e := c.entries[p]; e != nil {
		c.order.Remove(e)
		delete(c.entries, p)
		c.bytes -= int64(len(e.Value.(*kept).data)) + entryBytes
	}
	c.mu.Unlock()
	if c.disk != nil {
		c.disk.drop(p)
	}
}

// reserve changes how many bytes sessions take here; false, and no change, when there is no room for more.
func (c *stateCache) reserve(more int64) bool {
	c.mu.Lock()
	if more > 0 && c.sessions+more > c.most {
		c.mu.Unlock()
		return false
	}
	c.sessions += more
	out := c.shrink()
	c.mu.Unlock()
	c.spill(out)
	return true
}

// flush writes all that is in memory to the disk, if there is one.
func (c *stateCache) flush() {
	if c.disk == nil {
		return
	}
	c.mu.Lock()
	var all []*kept
	for e := c.order.Back(); e != nil; e = e.Prev() {
		all = append(all, e.Value.(*kept))
	}
	c.mu.Unlock()
	c.spill(all)
}

// usage is how many bytes are kept in memory, and how often a state served.
func (c *stateCache) usage() (bytes, hits int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes + c.sessions, c.hits
}
