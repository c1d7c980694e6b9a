package vk

import (
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestBlockTakesAndGives checks a block against a plain list of what is taken.
func TestBlockTakesAndGives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const size = 1 << 12
		b := &block{size: size, free: []extent{{0, size}}}
		var taken []extent
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if len(taken) > 0 && rapid.Bool().Draw(t, "give") {
				i := rapid.IntRange(0, len(taken)-1).Draw(t, "which")
				b.give(taken[i])
				taken = slices.Delete(taken, i, i+1)
			} else {
				n := int64(rapid.IntRange(1, size).Draw(t, "size"))
				align := int64(1) << rapid.IntRange(0, 8).Draw(t, "align")
				if off, ok := b.take(n, align); ok {
					if off%align != 0 || off < 0 || off+n > size {
						t.Fatalf("took %d+%d aligned to %d", off, n, align)
					}
					taken = append(taken, extent{off, n})
				}
			}
			checkBlock(t, b, taken)
		}
		for _, e := range taken {
			b.give(e)
		}
		if !b.empty() {
			t.Fatalf("after giving all back the holes are %v", b.free)
		}
	})
}

// checkBlock fails unless taken and free runs tile the block and no two free ones touch.
func checkBlock(t *rapid.T, b *block, taken []extent) {
	all := slices.Concat(taken, b.free)
	slices.SortFunc(all, func(a, b extent) int { return int(a.off - b.off) })
	at := int64(0)
	for _, e := range all {
		if e.off != at || e.size <= 0 {
			t.Fatalf("runs %v do not tile the block", all)
		}
		at += e.size
	}
	if at != b.size {
		t.Fatalf("runs %v end at %d", all, at)
	}
	for i := 1; i < len(b.free); i++ {
		if b.free[i-1].off+b.free[i-1].size >= b.free[i].off {
			t.Fatalf("holes %v touch or are out of order", b.free)
		}
	}
}

func TestRankTypes(t *testing.T) {
	const local, visible, coherent, cached, amdUncached = 1, 2, 4, 8, 0x40
	flags := []uint32{
		visible | coherent,                  // 0: write-combined
		local,                               // 1
		local | visible | coherent,          // 2: resizable BAR
		visible | coherent | cached,         // 3
		visible | cached,                    // 4: not coherent
		local | visible | cached | coherent, // 5
		local | amdUncached,                 // 6
	}
	for _, c := range []struct {
		where Memory
		want  []uint32
	}{{DeviceLocal, []uint32{1, 2, 5}}, {HostVisible, []uint32{3, 5, 0, 2}}} {
		if got := rankTypes(flags, c.where); !slices.Equal(got, c.want) {
			t.Errorf("%v: types %v, want %v", c.where, got, c.want)
		}
	}
}

// TestBlocksAreShared watches the allocations behind buffers of several sizes.
func TestBlocksAreShared(t *testing.T) {
	d := open(t)
	a := buffer(t, d, 1000, DeviceLocal, nil)
	b := buffer(t, d, 5<<20, DeviceLocal, nil)
	if s := d.Stats(); s.DeviceBytes != blockSize || s.Handles["memory"] != 1 || s.DeviceUsed < 5<<20+1000 {
		t.Fatalf("two small buffers: %+v", s)
	}
	big := buffer(t, d, dedicatedAbove+1, DeviceLocal, nil)
	if s := d.Stats(); s.Handles["memory"] != 2 || s.DeviceBytes >= 2*blockSize {
		t.Fatalf("a buffer above 32 MiB: %+v", s)
	}
	big.Close()
	if s := d.Stats(); s.DeviceBytes != blockSize || s.DevicePeak < blockSize+dedicatedAbove {
		t.Fatalf("after its Close: %+v", s)
	}
	a.Close()
	a.Close() // does nothing
	b.Close()
	if s := d.Stats(); s.DeviceUsed != 0 || s.DeviceBytes != blockSize {
		t.Fatalf("one empty block is kept: %+v", s)
	}
	buffer(t, d, 100, HostVisible, nil)
	if s := d.Stats(); s.HostBytes != blockSize || s.HostUsed < 100 {
		t.Fatalf("a host buffer: %+v", s)
	}
}

func TestBlockOfExactSizeWhenBigOnesAreNotAllowed(t *testing.T) {
	d := open(t)
	d.phys.info.Limits.MaxAllocation = slotBytes
	b := buffer(t, d, 1000, DeviceLocal, nil)
	if s := d.Stats(); s.DeviceBytes > 64<<10 {
		t.Errorf("allocated %d bytes", s.DeviceBytes)
	}
	if got := download(t, d, b.Whole()); !allZero(got) {
		t.Error("not zero")
	}
}

func TestOutOfMemory(t *testing.T) {
	d := open(t)
	limit := int64(d.Info().Limits.MaxAllocation)
	_, err := d.NewBuffer(limit+1, DeviceLocal)
	var oom *OutOfMemoryError
	if !errors.As(err, &oom) || !errors.Is(err, ErrOutOfMemory) || oom.Asked != limit+1 {
		t.Fatalf("above the device's limit: %v", err)
	}
	if s := d.Stats(); s.DeviceBytes != 0 || s.Handles["buffer"] != 0 {
		t.Errorf("the failure left %+v", s)
	}
	for _, n := range []int64{0, -1, math.MinInt64} {
		if _, err := d.NewBuffer(n, DeviceLocal); err == nil || errors.Is(err, ErrOutOfMemory) {
			t.Errorf("size %d: %v", n, err)
		}
	}
	if _, err := d.NewBuffer(1, Memory(7)); err == nil {
		t.Error("memory kind 7 was taken")
	}
}

// TestAllocationFails has Vulkan itself refuse: more than an address space can hold.
func TestAllocationFails(t *testing.T) {
	t.Setenv("MMRUN_VALIDATE", "0") // the layer objects to such sizes
	d := open(t)
	d.phys.info.Limits.MaxAllocation = 1 << 60
	var oom *OutOfMemoryError
	var call *Error
	_, err := d.NewBuffer(1<<50, DeviceLocal)
	if !errors.As(err, &oom) || oom.Asked != 1<<50 || !errors.As(err, &call) {
		t.Errorf("a buffer of 2^50 bytes: %v", err)
	}
	_, _, err = d.heap.alloc(HostVisible, 1<<50, 16, 1<<32-1)
	if !errors.As(err, &oom) || oom.Asked != 1<<50 || oom.Memory != HostVisible || !errors.As(err, &call) || call.Call != "vkAllocateMemory" {
		t.Errorf("memory of 2^50 bytes: %v", err)
	}
	d.heap.shared = 1 << 50
	b := buffer(t, d, 1000, DeviceLocal, nil)
	if s := d.Stats(); s.DeviceBytes > 64<<10 || !b.block.dedicated {
		t.Errorf("with shared blocks that cannot be had: %+v", s)
	}
}

// TestNoMemoryTypeFits: a device without memory of the wanted kind is told apart from a full one.
func TestNoMemoryTypeFits(t *testing.T) {
	d := open(t)
	d.heap.kinds[DeviceLocal].types = nil
	if _, err := d.NewBuffer(64, DeviceLocal); err == nil || errors.Is(err, ErrOutOfMemory) {
		t.Errorf("no type fits: %v", err)
	}
	if n := d.Stats().Handles["buffer"]; n != 0 {
		t.Errorf("%d buffers left", n)
	}
}

func allZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}
