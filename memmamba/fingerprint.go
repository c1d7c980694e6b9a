package memmamba

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"

	"github.com/mmrun/mmrun/internal/safetensors"
)

// A fingerprint tells models apart: a state fits only the model it came from.
type fingerprint [sha256.Size]byte

// newFingerprint hashes the config and, of every tensor, its name, type, shape and samples of its
// data: reading all of a large model would take longer than loading it. A model that is quantized when it
// is loaded is another one.
func newFingerprint(c Config, quantize string, tensors *safetensors.Model) fingerprint {
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
	h.Write([]byte(quantize))
	for _, name := range tensors.Names() {
		t, _ := tensors.Tensor(name)
		fmt.Fprintln(h, name, t.DType, t.Shape)
		sampleData(h, t.Data)
	}
	return fingerprint(h.Sum(nil))
}

// sampleData hashes up to 64 stretches of 64 bytes spread over data, its first and last among them.
func sampleData(h hash.Hash, data []byte) {
	const stretches, size = 64, 64
	if len(data) <= stretches*size {
		h.Write(data)
		return
	}
	for i := range stretches {
		from := (len(data) - size) / (stretches - 1) * i
		h.Write(data[from : from+size])
	}
}
