package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/checkpoint/safetensors"
	"github.com/mmrun/mmrun/engine"
)

func logitsCommand() *cli.Command {
	return &cli.Command{
		Name:      "logits",
		Category:  groupCheck,
		Usage:     "write the logits after each of some tokens to a file",
		UsageText: "mmrun logits --tokens 1,2,3 | --tokens-file FILE --out FILE.safetensors [FLAGS]",
		Description: `Writes a safetensors file with tokens [T] I32 and logits [T, vocab] F32, the next-token logits after each token. A MemMamba model adds what its memory did: pool_count [layers] I32 and reads [windows, layers] I32 (1 where the state asked to read at the window's start), with a triggered cross-layer attention layer_reads [windows, layers] I32, and for each layer N pool.N [notes, S] F32 and importance.N [notes] F32, oldest note first, after the last token.

With --decimate logits is [1, vocab], of the last token alone, and kept.N I32 are the positions of the tokens that layer N let stay.

The file without --decimate is what 'mmrun verify --golden' takes.

Examples:
mmrun logits --model ~/models/mamba-130m --tokens 12092,13,1533 --out hello.safetensors
mmrun tokenize --prompt-file chapter.txt | mmrun logits --tokens-file - --out chapter.safetensors
mmrun logits --device llvmpipe --tokens 1,2,3 --out cpu.safetensors && mmrun verify --device nvidia --golden cpu.safetensors`,
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "tokens", Category: "Input", Usage: "token `IDS` separated by commas"},
			&cli.StringFlag{Name: "tokens-file", Category: "Input",
				Usage: "read the ids from `FILE`, as a JSON array or separated by commas or white space; - reads standard input"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Category: "Output", Usage: "`FILE` to write"},
		}, decimateFlags(), engineFlags()),
		Action: logitsAction,
	}
}

func logitsAction(c *cli.Context) (err error) {
	if err := cmp.Or(noArguments(c), checkEngineFlags(c), checkDecimation(c), exclusive(c, "tokens", "tokens-file"), required(c, "out")); err != nil {
		return err
	}
	in, ok := input{"--tokens", c.String("tokens")}, true
	switch {
	case c.IsSet("tokens-file"):
		in, err = readFile(c, c.String("tokens-file"))
	case !c.IsSet("tokens"):
		in, ok, err = readPiped(c)
	}
	if err != nil {
		return err
	}
	if !ok {
		return usagef("no tokens: give --tokens IDS or --tokens-file FILE, or pipe them in")
	}
	out := c.String("out")
	if err := checkOutput(out); err != nil {
		return err
	}
	src, err := sourceOf(c)
	if err != nil {
		return err
	}
	cfg, err := src.config()
	if err != nil {
		return err
	}
	ids, err := in.parseIDs(cfg.Sizes().Vocab)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return fmt.Errorf("%s: there are no tokens", in.name)
	}
	e, err := openEngine(c, src)
	if err != nil {
		return err
	}
	defer e.close(&err)
	sig := signalsOf(c)
	sig.graceful()
	if e.drop != nil {
		return e.writeDecimated(sig.ctx, ids, out)
	}
	return e.writeLogits(sig.ctx, ids, out)
}

// writeDecimated writes what there is after a prompt of which layers drop tokens.
func (e *opened) writeDecimated(ctx context.Context, ids []int32, out string) error {
	state, err := e.NewState()
	if err != nil {
		return err
	}
	defer state.Close()
	progress := e.console.progress("tokens", tokenWords)
	kept, err := e.decimate(ctx, state, ids, *e.drop, func(done, total int) { progress(int64(done), int64(total)) })
	e.console.clear()
	if err != nil {
		return err
	}
	logits, err := state.Logits()
	if err != nil {
		return err
	}
	tensors := []safetensors.Out{
		safetensors.OfInt32("tokens", []int{len(ids)}, ids),
		safetensors.OfFloat32("logits", safetensors.F32, []int{1, len(logits)}, logits),
	}
	for _, k := range kept {
		tensors = append(tensors, safetensors.OfInt32(fmt.Sprintf("kept.%d", k.Layer), []int{len(k.Positions)}, k.Positions))
	}
	return safetensors.Create(out, map[string]string{"format": "pt"}, tensors)
}

// writeLogits runs tokens from a fresh state and writes what verify compares. The logits may be
// larger than memory: they go through a spool file, because what follows them in the file's header
// is known only after the last token.
func (e *opened) writeLogits(ctx context.Context, ids []int32, out string) (err error) {
	spool, err := os.CreateTemp(filepath.Dir(out), ".logits-*.tmp")
	if err != nil {
		return fileError(out, err)
	}
	if os.Remove(spool.Name()) != nil { // a system where that waits until it is closed
		defer os.Remove(spool.Name())
	}
	defer spool.Close()
	state, err := e.NewState()
	if err != nil {
		return err
	}
	defer state.Close()

	recorded := e.record(state)
	w := bufio.NewWriterSize(spool, 1<<20)
	err = e.forwardAll(ctx, state, ids, func(first int, rows []float32) error {
		for i, v := range rows {
			if v != v {
				return fmt.Errorf("%s: the logits after token %d are NaN: the weights overflow float32 or make no sense", e.source.Name(), first+i/e.Sizes().Vocab)
			}
		}
		return writeFloats(w, rows)
	})
	if err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return fileError(out, err)
	}
	tensors := []safetensors.Out{
		safetensors.OfInt32("tokens", []int{len(ids)}, ids),
		{Name: "logits", DType: safetensors.F32, Shape: []int{len(ids), e.Sizes().Vocab}, Write: func(w io.Writer) error {
			if _, err := spool.Seek(0, io.SeekStart); err != nil {
				return err
			}
			_, err := io.Copy(w, spool)
			return err
		}},
	}
	records, err := recorded()
	if err != nil {
		return err
	}
	for _, r := range records {
		tensors = append(tensors, tensorOf(r))
	}
	return safetensors.Create(out, map[string]string{"format": "pt"}, tensors)
}

// forwardAll runs all tokens with a progress bar.
func (e *opened) forwardAll(ctx context.Context, state *engine.State, ids []int32, each func(first int, rows []float32) error) error {
	progress := e.console.progress("tokens", tokenWords)
	defer e.console.clear()
	vocab := e.Sizes().Vocab
	return e.ForwardAll(ctx, state, ids, func(first int, rows []float32) error {
		progress(int64(first+len(rows)/vocab), int64(len(ids)))
		return each(first, rows)
	})
}

// record follows what a sequence leaves besides logits. The function it returns tells of it after the last token.
func (e *opened) record(state *engine.State) func() ([]engine.Record, error) {
	if c, ok := e.Config().(engine.Recorded); ok {
		return c.Record(state)
	}
	return func() ([]engine.Record, error) { return nil, nil }
}

func tensorOf(r engine.Record) safetensors.Out {
	if r.Ints != nil {
		return safetensors.OfInt32(r.Name, r.Shape, r.Ints)
	}
	return safetensors.OfFloat32(r.Name, safetensors.F32, r.Shape, r.Floats)
}

// writeFloats writes numbers as little-endian float32.
func writeFloats(w *bufio.Writer, values []float32) error {
	var word [4]byte
	for _, v := range values {
		binary.LittleEndian.PutUint32(word[:], math.Float32bits(v))
		if _, err := w.Write(word[:]); err != nil {
			return err
		}
	}
	return nil
}
