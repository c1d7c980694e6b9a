package safetensors

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"unicode/utf8"

	"github.com/mmrun/mmrun/internal/replace"
)

// Out is a tensor to write. Write is called once and emits exactly the tensor's bytes,
// little-endian and row-major.
type Out struct {
	Name  string
	DType DType
	Shape []int
	Write func(w io.Writer) error
}

// OfBytes makes an Out of little-endian bytes.
func OfBytes(name string, d DType, shape []int, data []byte) Out {
	return Out{Name: name, DType: d, Shape: shape, Write: func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}}
}

// OfFloat32 makes an Out of type d (F32, F16 or BF16) of float32 numbers, rounded to nearest even.
func OfFloat32(name string, d DType, shape []int, data []float32) Out {
	return Out{Name: name, DType: d, Shape: shape, Write: func(w io.Writer) error {
		const block = 1 << 14 // narrowed piece by piece: no second copy of a large tensor
		var piece []byte
		for part := range slices.Chunk(data, block) {
			var err error
			if piece, err = d.Narrow(piece[:0], part); err != nil {
				return err
			}
			if _, err := w.Write(piece); err != nil {
				return err
			}
		}
		return nil
	}}
}

// OfInt32 makes an Out of type I32.
func OfInt32(name string, shape []int, data []int32) Out {
	return Out{Name: name, DType: I32, Shape: shape, Write: func(w io.Writer) error {
		return binary.Write(w, binary.LittleEndian, data)
	}}
}

// Create writes a file of the given tensors, streaming, to a temporary name beside path that
// takes its place when all is written. Tensors are laid out widest type first and then by name, as
// the format's own implementation does, so that each is aligned; Write is called in that order.
// A tensor that writes other than the bytes of its shape is an error, and no file is left.
func Create(path string, meta map[string]string, tensors []Out) error {
	return replace.File(path, func(w io.Writer) error {
		if err := encode(w, meta, tensors); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	})
}

// CreateModel writes the weights of a model directory: model.safetensors, or, with limit > 0 and
// more data than that, shards of at most limit bytes each (a larger tensor has one to itself) with
// their index.
func CreateModel(dir string, meta map[string]string, tensors []Out, limit int64) error {
	groups, total, err := shardsOf(tensors, limit)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if len(groups) <= 1 {
		return Create(filepath.Join(dir, singleName), meta, tensors)
	}
	if _, err := os.Stat(filepath.Join(dir, singleName)); err == nil {
		return fmt.Errorf("%s: %s is already there and would hide the shards", dir, singleName)
	}
	var index struct {
		Metadata  map[string]int64  `json:"metadata"`
		WeightMap map[string]string `json:"weight_map"`
	}
	index.Metadata = map[string]int64{"total_size": total}
	index.WeightMap = map[string]string{}
	for i, group := range groups {
		name := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(groups))
		for _, t := range group {
			if other, ok := index.WeightMap[t.Name]; ok {
				return fmt.Errorf("%s: tensor %s comes twice, in %s and %s", dir, quote(t.Name), other, name)
			}
			index.WeightMap[t.Name] = name
		}
		if err := Create(filepath.Join(dir, name), meta, group); err != nil {
			return err
		}
	}
	raw, err := json.MarshalIndent(index, "", "  ")
	if err != nil {
		return err
	}
	return replace.File(filepath.Join(dir, indexName), func(w io.Writer) error {
		_, err := w.Write(append(raw, '\n'))
		return err
	})
}

// shardsOf groups the tensors, in their order, by at most limit bytes; limit 0 is no limit.
func shardsOf(tensors []Out, limit int64) (groups [][]Out, total int64, err error) {
	var size int64
	for _, t := range tensors {
		n, err := byteSize(t.DType, t.Shape)
		if err != nil {
			return nil, 0, fmt.Errorf("tensor %s: %w", quote(t.Name), err)
		}
		if len(groups) == 0 || limit > 0 && size > 0 && int64(n) > limit-size {
			groups, size = append(groups, nil), 0
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], t)
		size += int64(n)
		if total += int64(n); total < 0 {
			return nil, 0, errors.New("the tensors' total size overflows")
		}
	}
	return groups, total, nil
}

// encode writes a whole file.
func encode(w io.Writer, meta map[string]string, tensors []Out) error {
	tensors = slices.SortedStableFunc(slices.Values(tensors), func(a, b Out) int {
		return cmp.Or(cmp.Compare(b.DType.Size(), a.DType.Size()), cmp.Compare(a.Name, b.Name))
	})
	header, sizes, err := encodeHeader(meta, tensors)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	for i, t := range tensors {
		exact := &exactWriter{w: w, left: sizes[i]}
		if err := t.Write(exact); err != nil {
			return fmt.Errorf("tensor %s: %w", quote(t.Name), err)
		}
		if exact.left != 0 {
			return fmt.Errorf("tensor %s: wrote %d bytes, shape %v of %s is %d",
				quote(t.Name), sizes[i]-exact.left, t.Shape, t.DType, sizes[i])
		}
	}
	return nil
}

// encodeHeader returns the length and the header, padded so that the data starts at a multiple of
// eight bytes, and the bytes of each tensor.
func encodeHeader(meta map[string]string, tensors []Out) (header []byte, sizes []int, err error) {
	type record struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	all := map[string]any{}
	if len(meta) > 0 {
		all[metadataKey] = meta
	}
	at := 0
	for _, t := range tensors {
		size, err := byteSize(t.DType, t.Shape)
		switch {
		case !t.DType.valid():
			return nil, nil, fmt.Errorf("tensor %s: %s is no dtype", quote(t.Name), t.DType)
		case err != nil:
			return nil, nil, fmt.Errorf("tensor %s: %w", quote(t.Name), err)
		case size > math.MaxInt-at:
			return nil, nil, fmt.Errorf("tensor %s: the total size overflows", quote(t.Name))
		case t.Name == metadataKey || !utf8.ValidString(t.Name):
			return nil, nil, fmt.Errorf("%s cannot name a tensor", quote(t.Name))
		case all[t.Name] != nil:
			return nil, nil, fmt.Errorf("tensor %s comes twice", quote(t.Name))
		}
		all[t.Name] = record{t.DType.String(), append([]int{}, t.Shape...), [2]int{at, at + size}}
		sizes, at = append(sizes, size), at+size
	}
	text, err := json.Marshal(all)
	if err != nil {
		return nil, nil, err
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	if len(text) > maxHeader {
		return nil, nil, fmt.Errorf("header of %d bytes is above the limit of %d", len(text), maxHeader)
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...), sizes, nil
}

// exactWriter refuses more than left bytes.
type exactWriter struct {
	w    io.Writer
	left int
}

func (e *exactWriter) Write(p []byte) (int, error) {
	if len(p) > e.left {
		return 0, fmt.Errorf("%d bytes more than its shape holds", len(p)-e.left)
	}
	n, err := e.w.Write(p)
	e.left -= n
	return n, err
}
