package chat

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// tokens are those that the expected texts were made with.
var tokens = map[string]string{"bos_token": "<s>", "eos_token": "</s>"}

func read(t testing.TB, parts ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{"testdata"}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestRendered holds templates of published models against what Hugging Face renders.
func TestRendered(t *testing.T) {
	for _, name := range []string{"ibm-granite-granite-4.0", "llama-cpp-rwkv-world", "meta-llama-Llama-3.2-3B-Instruct", "mistralai-Mistral-Nemo-Instruct-2407"} {
		tmpl, err := Parse(name, string(read(t, name, "chat_template.jinja")))
		if err != nil {
			t.Fatal(err)
		}
		tmpl.Tokens = tokens
		var tests []struct {
			Messages json.RawMessage
			Prompt   bool `json:"add_generation_prompt"`
			Text     string
			Error    *string
		}
		if err := json.Unmarshal(read(t, name, "rendered.json"), &tests); err != nil || len(tests) == 0 {
			t.Fatalf("%s: %d tests (%v)", name, len(tests), err)
		}
		for _, test := range tests {
			messages, err := ParseMessages(test.Messages)
			if err != nil {
				t.Fatal(err)
			}
			got, err := tmpl.Render(Input{Messages: messages, GenerationPrompt: test.Prompt, Now: time.Date(2024, 7, 26, 0, 0, 0, 0, time.UTC)})
			switch {
			case test.Error != nil && (err == nil || !strings.Contains(err.Error(), *test.Error)):
				t.Errorf("%s: %s: got %q (%v), want the error %q", name, test.Messages, got.Text, err, *test.Error)
			case test.Error == nil && (err != nil || got.Text != test.Text):
				t.Errorf("%s: %s: got %q (%v), want %q", name, test.Messages, got.Text, err, test.Text)
			}
		}
	}
}

func TestCases(t *testing.T) {
	for _, name := range []string{"crlf", "strings", "undefined"} {
		tmpl, err := Parse(name, string(read(t, "cases", name, "t.jinja")))
		if err != nil {
			t.Fatal(err)
		}
		tmpl.Tokens = tokens
		messages, err := ParseMessages(read(t, "cases", name, "messages.json"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := tmpl.Render(Input{Messages: messages, GenerationPrompt: true})
		if want := string(read(t, "cases", name, "expected.txt")); err != nil || got.Text != want {
			t.Errorf("%s: got %q (%v), want %q", name, got.Text, err, want)
		}
	}
}

// TestKinds holds templates as the makers of well-known models write them, with tools and calls of tools,
// against what Jinja renders with Hugging Face's settings.
func TestKinds(t *testing.T) {
	var kinds []struct {
		Template string
		Tests    []struct {
			Messages, Tools json.RawMessage
			Text, Error     *string
		}
	}
	if err := json.Unmarshal(read(t, "kinds.json"), &kinds); err != nil || len(kinds) == 0 {
		t.Fatalf("%d templates (%v)", len(kinds), err)
	}
	for i, kind := range kinds {
		tmpl, err := Parse("kind", kind.Template)
		if err != nil {
			t.Fatal(err)
		}
		tmpl.Tokens = tokens
		for _, test := range kind.Tests {
			messages, err := ParseMessages(test.Messages)
			if err != nil {
				t.Fatal(err)
			}
			got, err := tmpl.Render(Input{Messages: messages, Tools: test.Tools, GenerationPrompt: true})
			switch {
			case test.Error != nil && err == nil:
				t.Errorf("%d: %s: got %q, want an error as %s", i, test.Messages, got.Text, *test.Error)
			case test.Error == nil && (err != nil || got.Text != *test.Text):
				t.Errorf("%d: %s: got %q (%v), want %q", i, test.Messages, got.Text, err, *test.Text)
			}
			checkSpans(t, got)
		}
	}
}

// TestLoad: chat_template.jinja goes before the config, whose list has a default.
func TestLoad(t *testing.T) {
	const list = `{"bos_token":{"content":"<b>"},"eos_token":null,"chat_template":[{"name":"rag","template":"no"},{"name":"default","template":"list {{ bos_token }}{{ eos_token is defined }}"}]}`
	tests := []struct {
		files map[string]string
		want  string // the text, or the error
	}{
		{map[string]string{configName: list}, "list <b>False"},
		{map[string]string{configName: list, templateName: "file {{ bos_token }}"}, "file <b>"},
		{map[string]string{configName: `{"chat_template":"one"}`}, "one"},
		{map[string]string{templateName: "alone"}, "alone"},
		{map[string]string{}, "dir/chat_template.jinja: no such file, nor is there a chat_template in tokenizer_config.json"},
		{map[string]string{configName: `{"chat_template":null}`}, "dir/chat_template.jinja: no such file, nor is there a chat_template in tokenizer_config.json"},
		{map[string]string{configName: `{"chat_template":7}`}, "dir/tokenizer_config.json: chat_template: is neither a string nor a list of named templates"},
		{map[string]string{configName: `{"chat_template":[{"name":"rag","template":"x"}]}`}, `dir/tokenizer_config.json: chat_template: of the templates "rag" none is named "default"`},
		{map[string]string{configName: `{"chat_template":"x","bos_token":7}`}, "tokenizer_config.json: bos_token: is neither a string nor an object with content"},
		{map[string]string{configName: `{`, templateName: "x"}, "dir/tokenizer_config.json: unexpected end of JSON input"},
		{map[string]string{templateName: "{% 'a\n' %}"}, "dir/chat_template.jinja: line 1: expected a name, got 'a '"},
		{map[string]string{templateName: "{{ raise_exception('\x1b[1m\n') }}"}, "dir/chat_template.jinja: line 1: [1m"},
	}
	for _, test := range tests {
		folder := fstest.MapFS{}
		for name, data := range test.files {
			folder[name] = &fstest.MapFile{Data: []byte(data)}
		}
		tmpl, err := Load(folder, func(name string) string { return "dir/" + name })
		var out Rendered
		if err == nil {
			out, err = tmpl.Render(Input{})
		}
		got := out.Text
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%q: got %q, want %q", test.files, got, test.want)
		}
		if none := strings.Contains(test.want, "no such file"); none != errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v: that there is no template is %v", err, none)
		}
	}
}
