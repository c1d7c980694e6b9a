package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTokenizeSpecial: what the flags make of special tokens, around a text and in it.
func TestTokenizeSpecial(t *testing.T) {
	dir := modelDir(t, "mamba-tiny")
	write(t, filepath.Join(dir, "tokenizer_config.json"), []byte(`{"add_bos_token":true,"bos_token":"<|endoftext|>"}`))
	tests := []struct{ args, want string }{
		{"a<|endoftext|>", "[256,97,256]"},
		{"--no-special a<|endoftext|>", "[97,256]"},
		{"--no-parse-special --no-special <|e", "[60,124,101]"},
		{"--no-parse-special <|endoftext|>", "[256,60,124,101,110,100,111,102,116,101,120,116,124,62]"},
		{"--decode 256,97", "<|endoftext|>a"},
		{"--decode --no-special 256,97", "a"},
	}
	for _, test := range tests {
		if got := succeed(t, append([]string{"tokenize", "--model", dir}, strings.Fields(test.args)...)...); strings.TrimSpace(got) != test.want {
			t.Errorf("%s: got %s, want %s", test.args, got, test.want)
		}
	}
}

// TestBeginning: the token for the beginning is at a sequence's first text only, and one for the end not
// at all in a text that is to go on.
func TestBeginning(t *testing.T) {
	dir := modelDir(t, "mamba-tiny")
	var tok map[string]json.RawMessage
	data, err := os.ReadFile(filepath.Join(dir, tokenizerName))
	if err == nil {
		err = json.Unmarshal(data, &tok)
	}
	if err != nil {
		t.Fatal(err)
	}
	tok["post_processor"] = json.RawMessage(`{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"s"}},{"Sequence":{"id":"A"}},{"SpecialToken":{"id":"s"}}],
		"special_tokens":{"s":{"ids":[99]}}}`)
	if data, err = json.Marshal(tok); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, tokenizerName), data)
	state := filepath.Join(t.TempDir(), "state")
	options := []string{"--model", dir, "--prompt", "ab", "-n", "0", "--state-save", state}
	for _, step := range []struct {
		more []string
		want []int32
	}{{nil, []int32{99, 'a', 'b'}}, {[]string{"--state-load", state}, []int32{'a', 'b'}}} {
		if got := generate(t, append(options, step.more...)...); !slices.Equal(got.PromptTokens, step.want) {
			t.Errorf("%v: the prompt is %v, want %v", step.more, got.PromptTokens, step.want)
		}
	}
}

func TestRender(t *testing.T) {
	const talk = `[{"role":"user","content":"Hi <s>"}]`
	messages := file(t, "talk.json", talk)
	template := file(t, "t.jinja", "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}>{% endif %}")
	dir := t.TempDir()
	config := `{"bos_token":"<b>","eos_token":{"content":"<e>"},"chat_template":[{"name":"tools","template":"no"},{"name":"default","template":"{{ bos_token }}{{ messages[0].content }}{{ eos_token }}"}]}`
	write(t, filepath.Join(dir, "tokenizer_config.json"), []byte(config))
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"--template", template}, "user: Hi <s>>"},
		{[]string{"--template", template, "--no-generation-prompt", "--bos", "<s>", "--eos", "</s>"}, "<s>user: Hi <s></s>"},
		{[]string{"--model", dir}, "<b>Hi <s><e>"},
		{[]string{"--model", dir, "--bos", "B"}, "BHi <s><e>"},
	}
	for _, test := range tests {
		if got := succeed(t, append([]string{"render", "--messages", messages}, test.args...)...); got != test.want {
			t.Errorf("%q: got %q, want %q", test.args, got, test.want)
		}
	}
	if o := execute(t, talk, "render", "--messages", "-", "--template", template); o.stdout != tests[0].want || o.status != 0 {
		t.Errorf("from standard input: got %q (%s)", o.stdout, o.stderr)
	}
	write(t, filepath.Join(dir, "chat_template.jinja"), []byte("file {{ bos_token }}\n"))
	if got := succeed(t, "render", "--messages", messages, "--model", dir); got != "file <b>" {
		t.Errorf("with a file of its own: got %q", got)
	}
}

func TestRenderErrors(t *testing.T) {
	messages := file(t, "talk.json", `[{"role":"user","content":"x"}]`)
	bare := goldenDir("mamba-tiny")
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"--messages", messages, "--template", file(t, "t", "a\n{% if %}")}, "t: line 2: unexpected the end of the tag"},
		{[]string{"--messages", messages, "--template", file(t, "t", "{{ raise_exception('no\nsystem') }}")}, "t: line 1: no system"},
		{[]string{"--messages", messages, "--template", file(t, "t", "{% for i in range(1000000000) %}{% endfor %}")}, "t: line 1: Range too big"},
		{[]string{"--messages", file(t, "m", "{}"), "--template", messages}, "m: not a JSON array of messages"},
		{[]string{"--messages", file(t, "m", "[1]"), "--template", messages}, "m: message 0 is not a JSON object"},
		{[]string{"--messages", file(t, "m", `[{"content":"x"}]`), "--template", messages}, "m: message 0 has no role"},
		{[]string{"--messages", file(t, "m", "["), "--template", messages}, "m: broken JSON at byte 1"},
		{[]string{"--messages", messages, "--model", bare}, "chat_template.jinja: no such file, nor is there a chat_template in tokenizer_config.json"},
	}
	for _, test := range tests {
		wantError(t, execute(t, "", append([]string{"render"}, test.args...)...), exitFailure, test.want)
	}
	wantError(t, execute(t, "", "render", "--model", bare), exitUsage, "no messages: give --messages FILE")
	wantError(t, execute(t, "", "render", "--messages", messages, "--model", bare, "--template", messages), exitUsage, "--model and --template cannot be used together")
}
