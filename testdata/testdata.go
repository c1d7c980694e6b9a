// Package testdata holds small models with what they come to, computed in float64 elsewhere, for mmrun selftest. The
// tests find all of them in the folder golden.
package testdata

import "embed"

// Goldens are folders of FS: one model of every kind of layer, and a memory.
var Goldens = []string{"mamba-odd-bf16", "mamba2-groups-bf16", "memmamba-token", "neox-sequential-odd"}

// FS holds a folder for each of Goldens, in golden: config.json, model.safetensors and golden.safetensors.
//
//go:embed golden/mamba-odd-bf16/*.json golden/mamba2-groups-bf16/*.json golden/memmamba-token/*.json golden/neox-sequential-odd/*.json
//go:embed golden/mamba-odd-bf16/*.safetensors golden/mamba2-groups-bf16/*.safetensors golden/memmamba-token/*.safetensors golden/neox-sequential-odd/*.safetensors
var FS embed.FS
