package tokenizer

import (
	"fmt"
	"slices"
)

// Patterns that tokenizers of published models cut words with.
const (
	gpt2Pattern   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)`
	endings       = `(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])`
	spaces        = `\s*[\r\n]+|\s+(?!\S)|\s+`
	llama3Pattern = endings + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|` + spaces
	qwen2Pattern  = endings + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|` + spaces
	bloomPattern  = ` ?[^(\s|.,!?…。，、।۔،)]+`
	caseWord      = `[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))*((?=[\p{L}])([^A-Z]))+`
	caseWord2     = `[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))+((?=[\p{L}])([^A-Z]))*`
	signs         = `| ?[^\s\p{L}\p{N}]+[\r\n/]*|` + spaces
	threes        = `[0-9][0-9][0-9]`
	marks         = `[\p{P}\$\+<=>\^~\|` + "`" + `]+`
	deepseekMain  = `[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_` + "`" + `{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|` + spaces
	deepseekLatin = `\s?[A-Za-z\u00b5À-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚ\u1e00-\u1f15\u1f18-\u1f1d` +
		`\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3` +
		`\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffcℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212a-\u212dℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+`
)

// preTokenizer is how a name of tokenizer.ggml.pre cuts a text: by each of the patterns in turn. whole
// says that a word that is a token is not merged, bos that a token for the beginning is put in front
// unless the file says otherwise.
type preTokenizer struct {
	patterns   []string
	whole, bos bool
}

// preTokenizers are those known, by their names.
var preTokenizers = func() map[string]preTokenizer {
	all := map[string]preTokenizer{}
	add := func(p preTokenizer, names ...string) {
		for _, name := range names {
			all[name] = p
		}
	}
	by := func(patterns ...string) preTokenizer { return preTokenizer{patterns: patterns} }
	add(by(marks, gpt2Pattern, `\p{N}+`, threes), "", "default")
	add(preTokenizer{[]string{llama3Pattern}, true, true},
		"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2")
	add(by(llama3Pattern), "dbrx", "smaug-bpe", "glm4", "chatglm-bpe")
	add(by(gpt2Pattern), "gpt-2", "phi-2", "gigachat", "a.x-4.0", "mellum", "modern-bert", "mpt", "olmo",
		"jais", "trillion", "granite-docling", "exaone4")
	add(by(`\p{N}`, gpt2Pattern), "starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b", "mellum2")
	add(by(marks, gpt2Pattern, threes), "falcon")
	add(by(qwen2Pattern), "qwen2", "deepseek-r1-qwen", "stablelm2", "megrez", "hunyuan", "solar-open", "kormo", "f2llmv2", "grok-2")
	add(by(endings+`|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|`+spaces), "qwen35")
	add(by(bloomPattern), "poro-chat", "bloom", "gpt3-finnish")
	add(by(bloomPattern, `\p{N}`), "viking")
	add(preTokenizer{[]string{caseWord + `|` + caseWord2 + `|\p{N}` + signs}, true, true}, "tekken")
	add(by(caseWord+endings+`?|`+caseWord2+endings+`?|\p{N}{1,3}`+signs), "gpt-4o", "llama4", "kanana2", "minimax-m2")
	add(by("[\r\n]", deepseekLatin, `\s?[!-/:-~！-／：-～‘-‟　-。]+`, `\s+$`, `[一-龥ࠀ-一가-퟿]+`, `\p{N}+`), "deepseek-llm")
	add(by("[\r\n]", `\s?\p{L}+`, `\s?\p{P}+`, `[一-龥ࠀ-一가-퟿]+`, `\p{N}`), "deepseek-coder")
	add(by(`\p{N}{1,3}`, `[一-龥぀-ゟ゠-ヿ]+`, deepseekMain), "deepseek-v3", "hunyuan-dense", "joyai-llm")
	add(by(`'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`),
		"bailingmoe", "bailingmoe2", "llada-moe")
	add(by(endings+`|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|`+spaces), "seed-coder")
	add(by(`\p{N}+`, `(?=(\d{3})+(?!\d))`), "superbpe")
	return all
}()

// PreTokenizers returns the names of tokenizer.ggml.pre that are known, in order.
func PreTokenizers() []string {
	var names []string
	for name := range preTokenizers {
		if name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// steps are the steps of a pre-tokenizer; each word is then written in the alphabet of bytes.
func (p preTokenizer) steps() ([]step, error) {
	var out []step
	for _, pattern := range p.patterns {
		re, err := compilePattern(pattern)
		if err != nil {
			return nil, fmt.Errorf("the pattern %w", err)
		}
		out = append(out, cutting(findPattern(re, false), isolated))
	}
	return append(out, byteLevel(false, false)), nil
}
