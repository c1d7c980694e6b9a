package memmamba

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/quant"
)

// A fingerprint tells models apart: a state fits only the model it came from.
type fingerprint [sha256.Size]byte

// newFingerprint hashes the config and, of every tensor, its name, type, shape and samples of its
// rows: reading all of a large model would take longer than loading it. A model that is quantized when it
// is loaded is another one.
func newFingerprint(c Config, quantize *quant.Format, tensors *checkpoint.Tensors) (fingerprint, error) {
	h := sha256.New()
	parts := []any{c, c.Memory}
	if c.Transformer != nil {
		parts = append(parts, c.Transformer)
	}
	for _, part := range parts {
		if err := json.NewEncoder(h).Encode(part); err != nil {
			panic(err) // a struct of numbers and words always encodes
		}
	}
	if quantize != nil {
		h.Write([]byte(quantize.Name))
	}
	for _, name := range tensors.Names() {
		t, _ := tensors.Tensor(name)
		fmt.Fprintln(h, name, t.Type, t.Shape)
		if err := sampleRows(h, t); err != nil {
			return fingerprint{}, fmt.Errorf("tensor %s: %w", name, err)
		}
	}
	return fingerprint(h.Sum(nil)), nil
}

// sampleRows hashes up to 64 stretches of 64 bytes spread over a tensor, its first and last among them: of up
// to 64 rows, and across each of them where there are fewer.
func sampleRows(h hash.Hash, t checkpoint.Tensor) error {
	const stretches, size = 64, 64
	rows, _ := t.Grid()
	looked := min(rows, stretches)
	for i := range looked {
		row, err := t.Row((rows-1)*i/max(1, looked-1), nil)
		if err != nil {
			return err
		}
		each := stretches / looked
		if len(row) <= each*size {
			h.Write(row)
			continue
		}
		for j := range each {
			from := (len(row) - size) * (i*each + j) / max(1, looked*each-1)
			h.Write(row[from : from+size])
		}
	}
	return nil
}
