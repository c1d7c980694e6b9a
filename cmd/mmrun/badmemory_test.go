package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestBadMemory spoils a key of a MemMamba config at a time.
func TestBadMemory(t *testing.T) {
	for _, test := range []struct{ from, to, says string }{
		{`"memory_pool_size": 7`, `"memory_pool_size": 0`, "memory_pool_size 0 is not within 1 to 256"},
		{`"memory_pool_size": 7`, `"memory_pool_size": 257`, "memory_pool_size 257 is not within 1 to 256"},
		{`"memory_pool_size": 7`, `"memory_pool_size": "7"`, "memory_pool_size"},
		{`"memory_pool_size": 7`, `"memory_pool_size": 7, "memory_pool_growth": 1.5`, "memory_pool_growth: 1.5 is not a whole number"},
		{`"memory_pool_size": 7`, `"memory_pool_size": 7, "memory_pool_max": 6`, "memory_pool_max 6 is not within 7 to 256"},
		{`"memory_pool_size": 7`, `"memory_pool_size": 7, "cross_layer_trigger": "state"`, "backbone.layers.1.memory.layer_score.weight is missing"},
		{`"memory_pool_size": 7`, `"memory_pool_size": 7, "memory_pools": 2`, "memory_pools is not known"},
		{`"memory_window": 1`, `"memory_window": 1025`, "memory_window 1025 is not within 1 to 1024"},
		{`"memory_window": 1`, `"memory_window": -1`, "memory_window -1 is not within 1 to 1024"},
		{`"memory_window": 1`, `"memory_window": 1.5`, "memory_window"},
		{`"memory_summary_dim": 16`, `"memory_summary_dim": 257`, "memory_summary_dim 257 is not within 1 to 256"},
		{`"memory_summary_dim": 16`, `"memory_summary_dim": 8`, "shape [16 32], the config asks for [8 32]"},
		{`"cross_layer_period": 2`, `"cross_layer_period": 0`, "cross_layer_period 0 is not within 1 to 4"},
		{`"cross_layer_period": 2`, `"cross_layer_period": 5`, "cross_layer_period 5 is not within 1 to 4"},
		{`"cross_layer_period": 2`, `"cross_layer_period": 3`, "backbone.layers.2.memory.layer_attn."},
		{`"max"`, `"sum"`, `cross_layer_pooling "sum" is not one of [concat mean max]`},
		{`"fifo"`, `"lifo"`, `memory_replacement "lifo" is not one of [fifo priority]`},
		{`"residual"`, `""`, `memory_fusion "" is not one of [residual gated]`},
		{`"residual"`, `"gated"`, "backbone.layers.0.memory.token_attn.gate.weight is missing"},
		{`"memory_note_threshold": 0.5`, `"memory_note_threshold": "high"`, "memory_note_threshold"},
		{`"memory_state_threshold": 0.5`, `"memory_state_threshold": 1e999`, "memory_state_threshold"},
	} {
		t.Run(test.to, func(t *testing.T) {
			dir, out := modelDir(t, "memmamba-token"), filepath.Join(t.TempDir(), "out")
			substitute(t, filepath.Join(dir, configName), test.from, test.to)
			o := execute(t, "", "logits", "-q", "--model", dir, "--tokens", "1,2", "--out", out)
			wantError(t, o, exitFailure, test.says)
			if !strings.Contains(o.stderr, dir) {
				t.Errorf("%q does not name %s", o.stderr, dir)
			}
			if _, err := os.Lstat(out); err == nil {
				t.Errorf("%s was written", out)
			}
		})
	}
}

// The header of a saved state: where some of its fields lie, and where it ends.
const (
	stateVersionAt  = 12
	stateModelAt    = 16
	statePositionAt = 48
	stateTokensAt   = 56
	stateLogitsAt   = 88
	stateRecentAt   = 92
	stateNextAt     = 96
	stateHeaderEnd  = 108
)

// TestBadState loads states that were spoilt, those from "forged" on with a checksum that fits.
func TestBadState(t *testing.T) {
	dir, elsewhere := modelDir(t, "memmamba-fifo"), modelDir(t, "memmamba-priority")
	saved := filepath.Join(t.TempDir(), "saved")
	succeed(t, "generate", "-q", "--model", dir, "--prompt", strings.Repeat("some text ", 9), "--max-tokens", "2", "--state-save", saved)
	good, err := os.ReadFile(saved)
	if err != nil {
		t.Fatal(err)
	}
	count := func(b []byte, at int) int { return int(binary.LittleEndian.Uint32(b[at:])) }
	tokens := stateHeaderEnd + 4*count(good, stateLogitsAt)
	block := tokens + 4*(count(good, stateRecentAt)+count(good, stateNextAt))
	for _, test := range []struct {
		name, model, says string
		spoil             func(b []byte) []byte
	}{
		{"empty", dir, "cut short: 0 bytes", func(b []byte) []byte { return nil }},
		{"cut in the header", dir, "cut short: 60 bytes", func(b []byte) []byte { return b[:60] }},
		{"cut in the pools", dir, "checksum does not match", func(b []byte) []byte { return b[:len(b)/2] }},
		{"last byte", dir, "checksum does not match", func(b []byte) []byte { return b[:len(b)-1] }},
		{"another byte", dir, "checksum does not match", func(b []byte) []byte { return append(b, 0) }},
		{"altered", dir, "checksum does not match", func(b []byte) []byte { b[len(b)/2] ^= 1; return b }},
		{"something else", dir, "not a state of mmrun", func(b []byte) []byte { return bytes.Repeat([]byte("text"), 100) }},
		{"far too long", dir, "not a state file of this model: more than", func(b []byte) []byte { return make([]byte, 16<<20) }},
		{"of the future", dir, "format version 9, this program reads 4", func(b []byte) []byte { b[stateVersionAt] = 9; return b }},
		{"of another model", elsewhere, "of another model: fingerprint ", func(b []byte) []byte { return b }},
		{"forged fingerprint", dir, "of another model: fingerprint 00", func(b []byte) []byte { clear(b[stateModelAt:statePositionAt]); return b }},
		{"forged position", dir, "position -1 with ", func(b []byte) []byte { fill(b[statePositionAt:stateTokensAt], 0xff); return b }},
		{"forged count", dir, "do not fit the model", func(b []byte) []byte { b[stateLogitsAt]++; return b }},
		{"forged counts", dir, "do not fit the model", func(b []byte) []byte { fill(b[stateLogitsAt:stateHeaderEnd], 0xff); return b }},
		{"forged token", dir, "token id 16777215 is outside the vocabulary of 256", func(b []byte) []byte { fill(b[tokens:tokens+3], 0xff); return b }},
		{"forged digest", dir, "the digest of its 91 tokens is another", func(b []byte) []byte { b[stateTokensAt]++; return b }},
		{"forged pools", dir, "pool place 0 holds importance NaN", func(b []byte) []byte { fill(b[block:], 0xff); return b }},
		{"forged pending notes", dir, "layer 0: token 0 of the window is noted with importance NaN", func(b []byte) []byte {
			end := len(b) - sha256.Size
			fill(b[end-4*8*16:end], 0xff) // 8 layers, windows of 16 tokens
			return b
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bad := test.spoil(slices.Clone(good))
			if strings.HasPrefix(test.name, "forged") {
				body := bad[:len(bad)-sha256.Size]
				digest := sha256.Sum256(body)
				bad = append(body, digest[:]...)
			}
			path, again := file(t, "state", string(bad)), filepath.Join(t.TempDir(), "again")
			o := execute(t, "", "generate", "-q", "--model", test.model, "--state-load", path, "--state-save", again)
			wantError(t, o, exitFailure, test.says)
			if !strings.Contains(o.stderr, path) {
				t.Errorf("%q does not name %s", o.stderr, path)
			}
			if _, err := os.Lstat(again); err == nil {
				t.Errorf("%s was written", again)
			}
		})
	}
}

func fill(b []byte, value byte) {
	for i := range b {
		b[i] = value
	}
}

// TestConvertRefusesWhatIsNoModel: a checkpoint that could not be opened is not converted or quantized
// either, and nothing is left where the new one would have been.
func TestConvertRefusesWhatIsNoModel(t *testing.T) {
	const norm = "backbone.layers.3.norm.weight"
	weights := func(edit func(h map[string]*tensorEntry)) func(dir string) {
		return func(dir string) { editHeader(t, filepath.Join(dir, "model.safetensors"), edit) }
	}
	for _, test := range []struct {
		name  string
		spoil func(dir string)
		says  string
	}{
		{"missing tensor", weights(func(h map[string]*tensorEntry) { h["other"] = h[norm]; delete(h, norm) }), `there is no tensor "` + norm + `"`},
		{"another vocabulary", func(dir string) {
			substitute(t, filepath.Join(dir, configName), `"vocab_size": 256`, `"vocab_size": 257`)
		}, "shape [256 64], the config asks for [257 64]"},
		{"more layers", func(dir string) {
			substitute(t, filepath.Join(dir, configName), `"num_hidden_layers": 4`, `"num_hidden_layers": 5`)
		}, "backbone.layers.4."},
		{"truncated weights", func(dir string) { os.Truncate(filepath.Join(dir, "model.safetensors"), 5000) }, "unexpected EOF"},
		{"no config", func(dir string) { os.Remove(filepath.Join(dir, configName)) }, configName + ": no such file"},
		{"broken config", func(dir string) { write(t, filepath.Join(dir, configName), []byte("{")) }, configName + ": broken JSON"},
	} {
		t.Run(test.name, func(t *testing.T) {
			from, parent := modelDir(t, "mamba-tiny"), t.TempDir()
			test.spoil(from)
			for _, args := range [][]string{{"convert", "--from", from, "--to"}, {"quantize", "--model", from, "--to", "q8_0", "--out"}} {
				o := execute(t, "", append(args, filepath.Join(parent, "to"))...)
				wantError(t, o, exitFailure, test.says)
				if !strings.Contains(o.stderr, from) {
					t.Errorf("%q does not name %s", o.stderr, from)
				}
			}
			if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
				t.Errorf("%v is left beside the target (%v)", left, err)
			}
		})
	}
}
