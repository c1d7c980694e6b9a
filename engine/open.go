package engine

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/ops/check"
	"github.com/mmrun/mmrun/quant"
	"github.com/mmrun/mmrun/vk"
)

// Open loads a model onto a device. The source may be closed afterwards.
func Open(src checkpoint.Source, o Options) (*Model, error) {
	m := &Model{}
	to, err := o.format()
	if err != nil {
		return nil, err
	}
	src = Canonical(src)
	files, err := m.readFiles(src, o)
	if err != nil {
		return nil, err
	}
	if stored := files.Quantized(); stored != nil {
		m.quantize, to = stored.Name, nil
	} else if to != nil {
		m.quantize = to.Name
	}
	if m.device, err = check.Open(vk.Options{Device: o.Device, Disable: o.Disable, Validate: o.Validate}, o.Warn); err != nil {
		return nil, err
	}
	if err = m.open(files, to, o); err == nil {
		err = m.warnOfWidened(src.Name(), files, o)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("model %s: %w", src.Name(), err), m.Close())
	}
	return m, nil
}

// readFiles reads config.json, and what there is of tensors.
func (m *Model) readFiles(src checkpoint.Source, o Options) (*checkpoint.Tensors, error) {
	data, err := src.Config()
	if err != nil {
		return nil, err
	}
	if m.config, err = ParseConfig(src.Path(configName), data); err != nil {
		return nil, Refused(err)
	}
	if m.generation, err = ReadGeneration(src); err != nil {
		return nil, err
	}
	files, err := src.Tensors()
	if err != nil {
		return nil, Refused(err)
	}
	for _, warning := range Warnings(src) {
		if o.Warn != nil {
			o.Warn(src.Name() + ": " + warning)
		}
	}
	return files, nil
}

// format is the quantized format that the options ask for, nil when they ask for none.
func (o Options) format() (*quant.Format, error) {
	if o.Quantize == "" {
		return nil, nil
	}
	known := quant.Targets()
	for _, f := range known {
		if f.Name == o.Quantize {
			return f, nil
		}
	}
	return nil, fmt.Errorf("quantization %q is not known (%v are)", o.Quantize, known)
}

// A fingerprint tells models apart: a state fits only the model it came from.
type fingerprint [sha256.Size]byte

// FingerprintOf is the fingerprint that a model has whose files these are, opened with such options. It needs no device.
func FingerprintOf(src checkpoint.Source, o Options) ([sha256.Size]byte, error) {
	to, err := o.format()
	if err != nil {
		return fingerprint{}, err
	}
	m := &Model{}
	files, err := m.readFiles(Canonical(src), Options{})
	if err != nil {
		return fingerprint{}, err
	}
	if stored := files.Quantized(); stored != nil {
		m.quantize = stored.Name
	} else if to != nil {
		m.quantize = to.Name
	}
	m.sizes = m.config.Sizes()
	return newFingerprint(m, files)
}

// newFingerprint hashes the settings and, of every tensor, its name, type, shape and samples of its
// data: reading all of a large model would take longer than loading it. A model that is quantized when it
// is loaded is another one.
func newFingerprint(m *Model, files *checkpoint.Tensors) (fingerprint, error) {
	h := sha256.New()
	settings, err := json.Marshal(m.config.Settings())
	if err != nil {
		return fingerprint{}, err
	}
	h.Write(settings)
	fmt.Fprintln(h, m.sizes.ModelType, m.quantize)
	for _, name := range files.Names() {
		t, _ := files.Tensor(name)
		fmt.Fprintln(h, name, t.Type, t.Shape)
		if err := sampleRows(h, t); err != nil {
			return fingerprint{}, fmt.Errorf("tensor %s: %w", name, err)
		}
	}
	return fingerprint(h.Sum(nil)), nil
}

// sampleRows hashes the ends of up to 32 rows spread over a tensor, its first and last among them.
func sampleRows(h hash.Hash, t checkpoint.Tensor) error {
	const most, size = 32, 64
	rows, _ := t.Grid()
	var room []byte
	for i := range min(rows, most) {
		at := i
		if rows > most {
			at = (rows - 1) * i / (most - 1)
		}
		data, err := t.Row(at, room)
		if err != nil {
			return err
		}
		room = data
		h.Write(data[:min(size, len(data))])
		h.Write(data[max(0, len(data)-size):])
	}
	return nil
}
