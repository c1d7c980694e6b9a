package vk

import (
	"fmt"
	"testing"
)

// BenchmarkDispatch is the cost of recording one dispatch with two buffers, with its barrier or
// without; replaying it costs the host nothing.
func BenchmarkDispatch(b *testing.B) {
	for _, barrier := range []bool{false, true} {
		b.Run(fmt.Sprintf("barrier=%v", barrier), func(b *testing.B) {
			d := open(b)
			p := pipeline(b, d, "axpy", 64)
			x, y := buffer(b, d, 256, DeviceLocal, nil), buffer(b, d, 256, DeviceLocal, nil)
			args, push := []Span{x.Whole(), y.Whole()}, append(words(64), floats(1)...)
			var c *Commands
			n := 0
			for b.Loop() {
				if n%1000 == 0 { // lists of a real length
					b.StopTimer()
					if c != nil {
						c.Close()
					}
					var err error
					if c, err = d.NewCommands(); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
				c.Dispatch(p, args, push, [3]uint32{1, 1, 1})
				if barrier {
					c.Barrier()
				}
				n++
			}
			if err := c.End(); err != nil {
				b.Fatal(err)
			}
			c.Close()
		})
	}
}

// BenchmarkSubmit is one Submit and its Wait, of a list with that many dispatches and barriers.
func BenchmarkSubmit(b *testing.B) {
	for _, dispatches := range []int{0, 1, 100} {
		b.Run(fmt.Sprintf("dispatches=%d", dispatches), func(b *testing.B) {
			d := open(b)
			p := pipeline(b, d, "axpy", 64)
			x, y := buffer(b, d, 256, DeviceLocal, nil), buffer(b, d, 256, DeviceLocal, nil)
			c := record(b, d, func(c *Commands) {
				for range dispatches {
					c.Dispatch(p, []Span{x.Whole(), y.Whole()}, append(words(64), floats(1)...), [3]uint32{1, 1, 1})
					c.Barrier()
				}
			})
			for b.Loop() {
				submit(b, d, c)
			}
		})
	}
}

// BenchmarkTransfer moves 64 MiB between Go and device memory.
func BenchmarkTransfer(b *testing.B) {
	const n = 64 << 20
	d := open(b)
	buf := buffer(b, d, n, DeviceLocal, nil)
	data := make([]byte, n)
	b.Run("upload", func(b *testing.B) {
		b.SetBytes(n)
		for b.Loop() {
			upload(b, d, buf.Whole(), data)
			if err := d.Download(data[:4], buf.Span(0, 4)); err != nil { // the copies are done
				b.Fatal(err)
			}
		}
	})
	b.Run("download", func(b *testing.B) {
		b.SetBytes(n)
		for b.Loop() {
			if err := d.Download(data, buf.Whole()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPipeline asks for a pipeline that exists.
func BenchmarkPipeline(b *testing.B) {
	d := open(b)
	code := codeOf(b, "axpy")
	for b.Loop() {
		if _, err := d.Pipeline("axpy", code, 64, 1); err != nil {
			b.Fatal(err)
		}
	}
}
