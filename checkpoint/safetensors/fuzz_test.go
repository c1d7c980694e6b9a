package safetensors

import (
	"bytes"
	"testing"

	"github.com/mmrun/mmrun/internal/bounded"
)

// FuzzParse holds every file that Parse accepts to the promises of the package: tensors of the
// size that they say, covering the data exactly, and the same again when written and read back.
func FuzzParse(f *testing.F) {
	for _, c := range broken {
		f.Add(c.data)
	}
	f.Add(raw(`{}`, 0))
	f.Add(raw(one("F16", "[2,1]", "[0,4]"), 4))
	f.Add(raw(`{"__metadata__":{"k":"v"},"a":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]},"b":{"dtype":"F64","shape":[],"data_offsets":[6,14]}}  `, 14))
	f.Fuzz(func(t *testing.T, data []byte) {
		var file *File
		var err error
		bounded.Run(t, len(data), func() { file, err = Parse("fuzz", data) })
		if err != nil {
			return
		}
		total := 0
		var outs []Out
		for _, name := range file.Names() {
			x, _ := file.Tensor(name)
			if x.Other != "" {
				rows, _ := plain(x).Grid()
				for i, n := 0, 0; i < min(rows, 9); i++ {
					row, err := plain(x).Row(i, nil)
					if n += len(row); err != nil || n > len(x.Data) {
						t.Fatalf("%q: %d bytes of %d, and %v", name, n, len(x.Data), err)
					}
				}
				return // such a file is not written
			}
			if len(x.Data) != x.Len()*x.DType.Size() {
				t.Fatalf("%q: %d bytes for shape %v of %s", name, len(x.Data), x.Shape, x.DType)
			}
			if v, err := x.Float32s(); (err == nil) != x.DType.Float() || err == nil && len(v) != x.Len() {
				t.Fatalf("%q: %d numbers and error %v", name, len(v), err)
			}
			total += len(x.Data)
			outs = append(outs, OfBytes(name, x.DType, x.Shape, x.Data))
		}
		if _, rest, _ := split("fuzz", data); total != len(rest) {
			t.Fatalf("tensors cover %d of %d bytes", total, len(rest))
		}
		var written bytes.Buffer
		if err := encode(&written, file.Metadata(), outs); err != nil {
			t.Fatal(err)
		}
		again, err := Parse("again", written.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range outs {
			x, _ := file.Tensor(o.Name)
			y, ok := again.Tensor(o.Name)
			if !ok || y.DType != x.DType || !bytes.Equal(y.Data, x.Data) {
				t.Fatalf("%q: read back as %+v", o.Name, y)
			}
		}
	})
}
