// Package golden holds small models with what they come to, computed in float64 elsewhere, for mmrun selftest. The
// tests find all of them in the folders beside this file.
package golden

import "embed"

// Names are the folders of FS: one model of every kind of layer, and a memory.
var Names = []string{"mamba-odd-bf16", "mamba2-groups-bf16", "memmamba-token", "neox-sequential-odd"}

// FS holds a folder for each of Names: config.json, model.safetensors and golden.safetensors.
//
//go:embed mamba-odd-bf16/*.json mamba2-groups-bf16/*.json memmamba-token/*.json neox-sequential-odd/*.json
//go:embed mamba-odd-bf16/*.safetensors mamba2-groups-bf16/*.safetensors memmamba-token/*.safetensors neox-sequential-odd/*.safetensors
var FS embed.FS
