package vk

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func pipeline(t testing.TB, d *Device, name string, spec ...uint32) *Pipeline {
	t.Helper()
	p, err := d.Pipeline(name, codeOf(t, name), spec...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDispatch(t *testing.T) {
	d := open(t)
	p := pipeline(t, d, "axpy", 64, 3)
	const n = 1000
	x, y := make([]float32, n), make([]float32, n)
	for i := range x {
		x[i], y[i] = float32(i), 1
	}
	bx := buffer(t, d, 4*n, DeviceLocal, floats(x...))
	by := buffer(t, d, 4*n+4, DeviceLocal, floats(y...))
	c := record(t, d, func(c *Commands) {
		push := append(words(n), floats(0.5)...)
		for range 3 {
			c.Dispatch(p, []Span{bx.Whole(), by.Whole()}, push, [3]uint32{(n + 63) / 64, 1, 1})
			c.Barrier()
		}
	})
	submit(t, d, c)
	submit(t, d, c, c) // recorded once, submitted any number of times
	got := download(t, d, by.Whole())
	for i := range n {
		if want := 1 + 9*1.5*float32(i); float(got, i) != want {
			t.Fatalf("y[%d] = %g, want %g", i, float(got, i), want)
		}
	}
	if float(got, n) != 0 {
		t.Errorf("the word after y is %g", float(got, n))
	}
}

// TestTexel reads sub-spans, so that a view that ignores offset or size shows.
func TestTexel(t *testing.T) {
	d := open(t)
	p := pipeline(t, d, "texel")
	const n = 40
	align := max(d.Info().Limits.TexelAlign, d.Info().Limits.StorageAlign, 16)
	f, u := make([]float32, 4*n), make([]uint32, 4*n)
	for i := range f {
		f[i], u[i] = float32(i)+0.5, uint32(i*i)
	}
	bf := buffer(t, d, align+16*n+16, DeviceLocal, nil)
	bu := buffer(t, d, 16*n, DeviceLocal, words(u...))
	out := buffer(t, d, 16*n+256, HostVisible, nil)
	upload(t, d, bf.Span(align, 16*n), floats(f...))
	submit(t, d, record(t, d, func(c *Commands) {
		for range 2 { // the second uses the views of the first
			c.Dispatch(p, []Span{bf.Span(align, 16*n), bu.Whole(), out.Whole()}, nil, [3]uint32{2, 1, 1})
			c.Barrier()
		}
		if len(c.views) != 2 {
			t.Errorf("%d views for two spans", len(c.views))
		}
	}))
	for i := range f {
		if got, want := float(out.Mapped(), i), f[i]*float32(u[i]); got != want {
			t.Fatalf("out[%d] = %g, want %g", i, got, want)
		}
	}
	if !allZero(out.Mapped()[16*n:]) {
		t.Error("written past the texels of the span")
	}
}

func TestDispatchRefuses(t *testing.T) {
	d, other := open(t), open(t)
	axpy, texel := pipeline(t, d, "axpy"), pipeline(t, d, "texel")
	push := append(words(4), floats(1)...)
	one := [3]uint32{1, 1, 1}
	b := buffer(t, d, 4096, DeviceLocal, nil)
	foreign := buffer(t, other, 256, DeviceLocal, nil)
	closed := buffer(t, d, 256, DeviceLocal, nil)
	closed.Close()
	w, s := b.Whole(), b.Span(0, 256)
	limit := d.Info().Limits.MaxGroups[0]
	cases := []struct {
		p      *Pipeline
		args   []Span
		push   []byte
		groups [3]uint32
		want   string
	}{
		{axpy, []Span{w}, push, one, "pipeline axpy: 1 buffers given, the shader has 2 bindings"},
		{axpy, []Span{w, w, w}, push, one, "3 buffers given"},
		{axpy, []Span{w, w}, push[:4], one, "4 bytes of push constants given, the shader takes 8"},
		{axpy, []Span{w, w}, nil, one, "0 bytes of push constants given"},
		{axpy, []Span{w, w}, push, [3]uint32{1, 0, 1}, "groups [1 0 1] are outside"},
		{axpy, []Span{w, {}}, push, one, "binding 1 (storage): no buffer"},
		{axpy, []Span{foreign.Whole(), w}, push, one, "binding 0 (storage): a buffer of another device"},
		{axpy, []Span{w, closed.Whole()}, push, one, "binding 1 (storage): buffer: closed"},
		{axpy, []Span{w, b.Span(4092, 8)}, push, one, "bytes 4092+8 are not inside the buffer of 4096"},
		{axpy, []Span{w, b.Span(-4, 8)}, push, one, "bytes -4+8"},
		{axpy, []Span{w, b.Span(8, math.MaxInt64)}, push, one, "are not inside"},
		{axpy, []Span{w, b.Span(0, 0)}, push, one, "bytes 0+0"},
		{axpy, []Span{w, b.Span(d.Info().Limits.StorageAlign/2, 8)}, push, one, "is not a multiple of"},
		{texel, []Span{b.Span(d.Info().Limits.TexelAlign/2, 16), s, s}, nil, one, "binding 0 (texel float): offset"},
		{texel, []Span{s, b.Span(0, 40), s}, nil, one, "binding 1 (texel uint): 40 bytes are not a multiple of 16"},
	}
	if limit < math.MaxUint32 {
		cases = append(cases, cases[4])
		c := &cases[len(cases)-1]
		c.groups, c.want = [3]uint32{limit + 1, 1, 1}, "are outside 1.."
	}
	for _, c := range cases {
		cmd, err := d.NewCommands()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Dispatch(c.p, c.args, c.push, c.groups)
		cmd.Dispatch(c.p, nil, nil, one) // the first error is kept
		if err := cmd.End(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q, want %q", err, c.want)
		}
		if _, err := d.Submit(cmd); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("submit: %v", err)
		}
		cmd.Close()
	}
}

func TestDispatchRefusesPipelines(t *testing.T) {
	d, other := open(t), open(t)
	for want, p := range map[string]*Pipeline{
		"dispatch: no pipeline":                nil,
		"pipeline axpy: made by another devic": pipeline(t, other, "axpy"),
	} {
		c, err := d.NewCommands()
		if err != nil {
			t.Fatal(err)
		}
		c.Dispatch(p, nil, nil, [3]uint32{1, 1, 1})
		if err := c.End(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		c.Close()
	}
}

// TestBindingLimits lowers the limits, since buffers as large as the real ones are not for tests.
func TestBindingLimits(t *testing.T) {
	d := open(t)
	l := &d.phys.info.Limits
	l.MaxStorageBufferRange, l.MaxTexelBufferElements = 1024, 128
	axpy, texel := pipeline(t, d, "axpy"), pipeline(t, d, "texel")
	b := buffer(t, d, 8192, DeviceLocal, nil)
	for want, f := range map[string]func(c *Commands){
		"1028 bytes are above the device's maxStorageBufferRange of 1024": func(c *Commands) {
			c.Dispatch(axpy, []Span{b.Span(0, 1024), b.Span(0, 1028)}, words(1, 0), [3]uint32{1, 1, 1})
		},
		"129 elements are above the device's maxTexelBufferElements of 128": func(c *Commands) {
			c.Dispatch(texel, []Span{b.Span(0, 16*128), b.Span(0, 16*129), b.Span(0, 16)}, nil, [3]uint32{1, 1, 1})
		},
	} {
		c, err := d.NewCommands()
		if err != nil {
			t.Fatal(err)
		}
		f(c)
		if err := c.End(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		c.Close()
	}
}

// TestManySets records more dispatches than one descriptor pool holds.
func TestManySets(t *testing.T) {
	d := open(t)
	p := pipeline(t, d, "axpy", 8)
	x := buffer(t, d, 32, DeviceLocal, floats(1, 1, 1, 1, 1, 1, 1, 1))
	y := buffer(t, d, 32, DeviceLocal, nil)
	const n = 3*poolSets + 1
	submit(t, d, record(t, d, func(c *Commands) {
		for range n {
			c.Dispatch(p, []Span{x.Whole(), y.Whole()}, append(words(8), floats(1)...), [3]uint32{1, 1, 1})
			c.Barrier()
		}
		if len(c.sets.pools) != 4 {
			t.Errorf("%d descriptor pools", len(c.sets.pools))
		}
	}))
	if got := float(download(t, d, y.Whole()), 7); got != n {
		t.Errorf("y[7] = %g, want %d", got, n)
	}
}

func TestPipelines(t *testing.T) {
	d := open(t)
	p := pipeline(t, d, "axpy", 64)
	if q := pipeline(t, d, "axpy", 64); q != p {
		t.Error("the same shader was made twice")
	}
	if q := pipeline(t, d, "axpy", 32); q == p || q.LocalSize() != [3]uint32{32, 1, 1} {
		t.Error("another workgroup size gave the same pipeline")
	}
	if p.Name() != "axpy" || p.PushSize() != 8 || len(p.Bindings()) != 2 || p.LocalSize() != [3]uint32{64, 1, 1} {
		t.Errorf("%s: push %d, bindings %v, local %v", p.Name(), p.PushSize(), p.Bindings(), p.LocalSize())
	}
	l := d.Info().Limits
	for _, c := range []struct {
		name, shader string
		spec         []uint32
		want         string
	}{
		{"axpy", "texel", []uint32{64}, "pipeline axpy: made before of another shader"},
		{"big", "axpy", []uint32{l.MaxInvocations + 1}, "pipeline big: workgroup size"},
		{"none", "axpy", []uint32{0}, "pipeline none: spir-v: workgroup size [0 1 1]"},
		{"greedy", "greedy", []uint32{l.MaxSharedMemory/4 + 1}, "bytes of shared memory, the device has"},
		{"many", "axpy", make([]uint32, maxSpec+1), "33 specialization constants given"},
		{"set1", "set1", nil, "pipeline set1: spir-v: binding 0 is in set 1"},
	} {
		if _, err := d.Pipeline(c.name, codeOf(t, c.shader), c.spec...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := d.Pipeline("cut", codeOf(t, "axpy")[:100]); err == nil {
		t.Error("a cut shader was taken")
	}
	if s := d.Stats(); s.Handles["pipeline"] != 2 || s.Handles["pipeline layout"] != 2 || s.Handles["shader module"] != 0 {
		t.Errorf("failures left %v", s.Handles)
	}
}

// TestCapabilities takes features away from the device.
func TestCapabilities(t *testing.T) {
	d := open(t)
	d.phys.c.features = 0
	if _, err := d.Pipeline("doubles", codeOf(t, "doubles")); err == nil || !strings.Contains(err.Error(), "lacks Float64") {
		t.Errorf("doubles: %v", err)
	}
	d.phys.c.api = 1<<22 | 1<<12
	if _, err := d.Pipeline("new", codeOf(t, "axpy13")); err == nil || !strings.Contains(err.Error(), "spir-v version 1.6, the device takes up to 1.3") {
		t.Errorf("spir-v 1.6 on Vulkan 1.1: %v", err)
	}
}

func TestClosedDevice(t *testing.T) {
	d := open(t)
	p := pipeline(t, d, "axpy")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	_, errBuffer := d.NewBuffer(4, DeviceLocal)
	_, errPipeline := d.Pipeline("axpy", p.spirv)
	_, errCommands := d.NewCommands()
	_, errSubmit := d.Submit()
	for i, err := range []error{errBuffer, errPipeline, errCommands, errSubmit, d.Close()} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("call %d: %v", i, err)
		}
	}
}
