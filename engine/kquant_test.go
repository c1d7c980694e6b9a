package engine_test

import (
	"testing"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/checkpoint/safetensors"
	. "github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/refmodel"
	"github.com/mmrun/mmrun/quant"
)

// standing writes a model with the numbers that its weights stand for when they are quantized in a format: a matrix whose
// rows do not fill the format's blocks in the other one.
func standing(t *testing.T, dir string, to *quant.Format) string {
	t.Helper()
	config := configOf(t, dir)
	matrix := isMatrix(t, config)
	return rewritten(t, config, dir, func(from *checkpoint.Tensors) (out []safetensors.Out, err error) {
		for _, name := range from.Names() {
			tensor, _ := from.Tensor(name)
			numbers, err := tensor.Float32s()
			if err != nil {
				return nil, err
			}
			if rows, cols := tensor.Grid(); matrix(name) {
				of := to.For(cols)
				data := make([]byte, of.RowBytes(cols))
				for i := range rows {
					row := numbers[i*cols : (i+1)*cols]
					if err := of.Quantize(data, row); err != nil {
						return nil, err
					}
					if err := of.Dequantize(row, data); err != nil {
						return nil, err
					}
				}
			}
			out = append(out, safetensors.OfFloat32(name, safetensors.F32, tensor.Shape, numbers))
		}
		return out, nil
	})
}

// TestBlocksOf256 holds models that are quantized in Q4_K and Q6_K when they are loaded, with rows that fill blocks and
// others, to the reference with the numbers that their weights then stand for.
func TestBlocksOf256(t *testing.T) {
	for _, kind := range []string{refmodel.Mamba, refmodel.Mamba2, refmodel.MemMamba} {
		c := refmodel.Default(kind)
		c.Layers, c.Vocab, c.Hidden = 2, 60, 256
		if kind == refmodel.Mamba2 {
			c.Heads.Heads, c.Groups, c.State = 8, 1, 16
		}
		if c.Memory != nil {
			c.Memory.Period = 2
		}
		for _, to := range []*quant.Format{quant.Q4_K, quant.Q6_K} {
			t.Run(kind+"/"+to.Name, func(t *testing.T) {
				for seed := range uint64(50) {
					dir := t.TempDir()
					if err := refmodel.WriteRandom(dir, c, refmodel.Random{Seed: seed}); err != nil {
						t.Fatal(err)
					}
					reference, err := refmodel.Load(standing(t, dir, to))
					if err != nil {
						t.Fatal(err)
					}
					tokens := refmodel.RandomTokens(c, seed, 70)
					want, separated := reference.RunSeparated(tokens, apart)
					if !separated {
						continue
					}
					m := openModel(t, dir, Options{Chunk: 40, Quantize: to.Name})
					if m.Quantization() != to.Name {
						t.Errorf("the model says %q", m.Quantization())
					}
					compareRun(t, m, newState(t, m), tokens, want)
					return
				}
				t.Fatal("no seed separates the decisions of the quantized model")
			})
		}
	}
}
