package server_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"testing"
)

// values are numbers as they were written.
func values(all []*json.Number) (out []string) {
	for _, v := range all {
		if v == nil {
			out = append(out, "null")
			continue
		}
		out = append(out, v.String())
	}
	return out
}

var hello = []fields{{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello <|endoftext|>"}}

// TestChat: a conversation is written role by role, what is in it is text, and the answer is the same at once and in
// a stream.
func TestChat(t *testing.T) {
	r := usual(t)
	body := fields{"messages": hello, "temperature": 0, "max_completion_tokens": 30, "logprobs": true, "top_logprobs": 3}
	a := r.ask("/v1/chat/completions", body)
	const plain = "system: Be kind.\nuser: Hello <|endoftext|>\nassistant: "
	want := r.ask("/v1/completions", fields{"prompt": bytesOf(plain), "temperature": 0, "max_tokens": 30, "logprobs": 3})
	c, w := a.Choices[0], want.Choices[0]
	if c.Message.Content != w.Text || c.Message.Role != "assistant" || a.Object != "chat.completion" || a.Usage.Prompt != len(plain) {
		t.Errorf("%+v, want %q", a, w.Text)
	}
	if len(c.Logs.Content) != 30 {
		t.Fatalf("%d log-probabilities", len(c.Logs.Content))
	}
	for i, token := range c.Logs.Content {
		if token.Log.String() != w.Logs.Logs[i].String() || len(token.Top) != 3 || string(byteText(token.Bytes)) != w.Logs.Tokens[i] {
			t.Errorf("token %d: %+v, as a completion %s", i, token, w.Logs.Logs[i])
		}
	}
	events, done := r.stream("/v1/chat/completions", body)
	if got, finish := joined(events, 0); got != w.Text || finish != "length" || !done || events[0].Choices[0].Delta.Role != "assistant" || events[0].Object != "chat.completion.chunk" {
		t.Errorf("a stream has %q, %s, %v", got, finish, done)
	}
	parts := []fields{{"role": "developer", "content": []fields{{"type": "text", "text": "Be "}, {"type": "text", "text": "kind."}}}, hello[1]}
	if got := r.ask("/v1/chat/completions", body.with(fields{"messages": parts})); got.Choices[0].Message.Content != w.Text {
		t.Errorf("in parts: %q", got.Choices[0].Message.Content)
	}
}

func bytesOf(text string) (ids []int) {
	for _, b := range []byte(text) {
		ids = append(ids, int(b))
	}
	return ids
}

func byteText(ids []int) (text []byte) {
	for _, id := range ids {
		text = append(text, byte(id))
	}
	return text
}

// TestEcho: a prompt with its log-probabilities and no answer, and the same with one.
func TestEcho(t *testing.T) {
	r := usual(t)
	body := fields{"prompt": "Häuser", "max_tokens": 0, "echo": true, "logprobs": 1, "temperature": 0}
	a := r.ask("/v1/completions", body)
	c := a.Choices[0]
	if c.Text != "Häuser" || *c.Finish != "length" || len(c.Logs.Tokens) != 7 || c.Logs.Logs[0] != nil || c.Logs.Top[0] != nil || a.Usage.Completion != 0 {
		t.Errorf("%+v %+v", c, c.Logs)
	}
	if fmt.Sprint(c.Logs.Offsets) != "[0 1 1 2 3 4 5]" && fmt.Sprint(c.Logs.Offsets) != "[0 1 2 2 3 4 5]" {
		t.Errorf("offsets %v", c.Logs.Offsets)
	}
	more := r.ask("/v1/completions", body.with(fields{"max_tokens": 4, "n": 2})).Choices[1]
	if got, want := fmt.Sprint(values(more.Logs.Logs[:7])), fmt.Sprint(values(c.Logs.Logs)); got != want || len(more.Logs.Tokens) != 11 || more.Text[:7] != "Häuser" {
		t.Errorf("with an answer: %s, %s without", got, want)
	}
	// What the prompt's tokens get there, an answer of them gets, too; numbers can be read back.
	var sum float64
	for i, log := range more.Logs.Logs[1:] {
		v, err := strconv.ParseFloat(log.String(), 64)
		if err != nil || v > 0 || strconv.FormatFloat(float64(float32(v)), 'g', -1, 32) != strconv.FormatFloat(v, 'g', -1, 64) {
			t.Errorf("token %d: %s: %v", i+1, log, err)
		}
		sum += v
	}
	if sum >= 0 || math.IsInf(sum, 0) {
		t.Errorf("the sum is %v", sum)
	}
	one := r.ask("/v1/completions", fields{"prompt": "Häuser", "max_tokens": 4, "temperature": 0, "logprobs": 1}).Choices[0]
	if got, want := fmt.Sprint(values(one.Logs.Logs)), fmt.Sprint(values(more.Logs.Logs[7:])); got != want {
		t.Errorf("without echo %s, with it %s", got, want)
	}
}

// TestTokens: text to tokens and back.
func TestTokens(t *testing.T) {
	r := usual(t)
	for _, name := range []string{"content", "text", "prompt"} {
		_, _, data := r.do("POST", "/tokenize", fields{name: "Hé<|endoftext|>"})
		if string(data) != `{"tokens":[72,195,169,256]}`+"\n" {
			t.Errorf("%s: %s", name, data)
		}
	}
	if _, _, data := r.do("POST", "/detokenize", fields{"tokens": []int{72, 195, 169, 256}}); string(data) != `{"content":"Hé<|endoftext|>"}`+"\n" {
		t.Errorf("%s", data)
	}
	r.failed("POST", "/tokenize", "{}", 400)
	r.failed("POST", "/tokenize", `{"content": 3}`, 400)
	r.failed("POST", "/detokenize", `{"tokens": ["a"]}`, 400)
	r.failed("POST", "/detokenize", `{"tokens": [257]}`, 400)
}
