// Package models holds the model that the program carries within itself.
package models

import "embed"

// Bundled is the folder of the model in FS.
const Bundled = "novels-memmamba"

// FS holds one folder, Bundled: a Hugging Face directory (config.json, model.safetensors,
// tokenizer.json) of a byte-level MemMamba trained on novels. README.md says how.
//
//go:embed novels-memmamba/config.json novels-memmamba/model.safetensors novels-memmamba/tokenizer.json
var FS embed.FS
