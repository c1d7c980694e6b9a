// Package models holds the model that the program carries within itself.
package models

import "embed"

// FS holds one folder, novels-mamba: a Hugging Face directory (config.json, model.safetensors,
// tokenizer.json) of a byte-level Mamba trained on novels. README.md says how.
//
//go:embed novels-mamba/config.json novels-mamba/model.safetensors novels-mamba/tokenizer.json
var FS embed.FS
