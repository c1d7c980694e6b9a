package server

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/tokenizer"
)

// completionChoice is an answer to a prompt, or a part of one.
type completionChoice struct {
	Index  int             `json:"index"`
	Text   string          `json:"text"`
	Logs   *completionLogs `json:"logprobs"`
	Finish *string         `json:"finish_reason"`
}

type completionLogs struct {
	Tokens  []string             `json:"tokens"`
	Logs    []*number            `json:"token_logprobs"`
	Top     []map[string]*number `json:"top_logprobs"`
	Offsets []int                `json:"text_offset"`
}

// chatChoice is an answer to a conversation.
type chatChoice struct {
	Index   int         `json:"index"`
	Message chatMessage `json:"message"`
	Logs    *chatLogs   `json:"logprobs"`
	Finish  *string     `json:"finish_reason"`
}

type chatMessage struct {
	Role    string  `json:"role"`
	Content string  `json:"content"`
	Refusal *string `json:"refusal"`
}

// chatPart is a part of one in a stream.
type chatPart struct {
	Index  int       `json:"index"`
	Delta  chatDelta `json:"delta"`
	Logs   *chatLogs `json:"logprobs"`
	Finish *string   `json:"finish_reason"`
}

type chatDelta struct {
	Role    string  `json:"role,omitempty"`
	Content *string `json:"content,omitempty"`
}

type chatLogs struct {
	Content []chatToken `json:"content"`
	Refusal *string     `json:"refusal"`
}

type chatToken struct {
	tokenLog
	Top []tokenLog `json:"top_logprobs"`
}

type tokenLog struct {
	Token   string `json:"token"`
	LogProb number `json:"logprob"`
	Bytes   []int  `json:"bytes"`
}

// number is a float32 in the fewest digits from which it can be read back.
type number float32

// leastLogProb stands for the logarithm of nothing, which JSON has no number for, as at OpenAI.
const leastLogProb = -9999

// MarshalJSON writes the number.
func (n number) MarshalJSON() ([]byte, error) {
	v := float64(n)
	if v < leastLogProb {
		v = leastLogProb
	}
	return strconv.AppendFloat(nil, v, 'g', -1, 32), nil
}

var _ json.Marshaler = number(0)

// form is a whole answer in OpenAI's form.
func (a *answering) form(c *choice, p piece) any {
	finish := orNull(p.finish)
	if a.call.chat {
		return chatChoice{Index: c.index, Message: chatMessage{Role: "assistant", Content: p.text}, Logs: c.chatLogs(p), Finish: finish}
	}
	return completionChoice{Index: c.index, Text: p.text, Logs: c.completionLogs(p), Finish: finish}
}

// parts are what a stream's events have of a piece: one, or, of a chat, up to three.
func (a *answering) parts(c *choice, p piece, first bool) (parts []any) {
	if !a.call.chat {
		return []any{completionChoice{Index: c.index, Text: p.text, Logs: c.completionLogs(p), Finish: orNull(p.finish)}}
	}
	empty := ""
	if first {
		parts = append(parts, chatPart{Index: c.index, Delta: chatDelta{Role: "assistant", Content: &empty}})
	}
	if p.text != "" || len(p.tokens) > 0 {
		parts = append(parts, chatPart{Index: c.index, Delta: chatDelta{Content: &p.text}, Logs: c.chatLogs(p)})
	}
	if p.finish != "" {
		parts = append(parts, chatPart{Index: c.index, Finish: &p.finish})
	}
	return parts
}

// chatLogs are a piece's log-probabilities as chats have them; nil where nobody asked.
func (c *choice) chatLogs(p piece) *chatLogs {
	if !c.logs {
		return nil
	}
	logs := &chatLogs{Content: []chatToken{}}
	for _, t := range p.tokens {
		one := chatToken{tokenLog: logOf(c.tok, engine.TokenProb{ID: t.ID, LogProb: t.LogProb}), Top: []tokenLog{}}
		for _, top := range t.Top {
			one.Top = append(one.Top, logOf(c.tok, top))
		}
		logs.Content = append(logs.Content, one)
	}
	return logs
}

func logOf(tok *tokenizer.Tokenizer, p engine.TokenProb) tokenLog {
	b, _ := tok.Bytes(p.ID)
	log := tokenLog{Token: tokenText(tok, p.ID), LogProb: number(p.LogProb), Bytes: make([]int, len(b))}
	for i := range b {
		log.Bytes[i] = int(b[i])
	}
	return log
}

// completionLogs are the same as completions have them.
func (c *choice) completionLogs(p piece) *completionLogs {
	if !c.logs {
		return nil
	}
	logs := &completionLogs{Tokens: []string{}, Logs: []*number{}, Top: []map[string]*number{}, Offsets: []int{}}
	for _, t := range p.tokens {
		logs.Tokens = append(logs.Tokens, tokenName(c.tok, t.ID))
		logs.Offsets = append(logs.Offsets, t.chars)
		if t.first {
			logs.Logs, logs.Top = append(logs.Logs, nil), append(logs.Top, nil)
			continue
		}
		log, top := number(t.LogProb), map[string]*number{}
		for _, other := range t.Top {
			value := number(other.LogProb)
			top[tokenName(c.tok, other.ID)] = &value
		}
		logs.Logs, logs.Top = append(logs.Logs, &log), append(logs.Top, top)
	}
	return logs
}

// tokenText is a token's bytes as text, U+FFFD for what is none.
func tokenText(tok *tokenizer.Tokenizer, id int32) string {
	b, _ := tok.Bytes(id)
	return string([]rune(string(b)))
}

// tokenName is a token's text, or its bytes where they are no text: names of different tokens differ.
func tokenName(tok *tokenizer.Tokenizer, id int32) string {
	b, _ := tok.Bytes(id)
	if utf8.Valid(b) {
		return string(b)
	}
	name := "bytes:"
	for _, one := range b {
		name += `\x` + strconv.FormatUint(uint64(one)|0x100, 16)[1:]
	}
	return name
}
