package chat

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
