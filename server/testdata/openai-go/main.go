// Client asks a server of mmrun with OpenAI's own library for Go, and ends with 1 when an answer is not what it should be.
//
//	client URL MODEL
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: client URL MODEL")
		os.Exit(2)
	}
	c := &client{Client: openai.NewClient(option.WithBaseURL(os.Args[1]+"/v1"), option.WithAPIKey("any"), option.WithMaxRetries(0)), model: os.Args[2]}
	for _, check := range []struct {
		name string
		run  func(ctx context.Context) error
	}{{"models", c.models}, {"completion", c.completion}, {"chat", c.chat}, {"form", c.form}, {"errors", c.errors}} {
		if err := check.run(context.Background()); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", check.name, err)
			os.Exit(1)
		}
	}
	fmt.Println("ok")
}

type client struct {
	openai.Client
	model string
}

func (c *client) models(ctx context.Context) error {
	page, err := c.Models.List(ctx)
	if err != nil {
		return err
	}
	if len(page.Data) != 1 || page.Data[0].ID != c.model {
		return fmt.Errorf("models %+v", page.Data)
	}
	one, err := c.Models.Get(ctx, c.model)
	if err == nil && one.ID != c.model {
		err = fmt.Errorf("model %+v", one)
	}
	return err
}

func (c *client) completion(ctx context.Context) error {
	p := openai.CompletionNewParams{Model: openai.CompletionNewParamsModel(c.model), Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String("It was a dark night")},
		MaxTokens: openai.Int(12), Temperature: openai.Float(0), Logprobs: openai.Int(2)}
	whole, err := c.Completions.New(ctx, p)
	if err != nil {
		return err
	}
	one := whole.Choices[0]
	if one.FinishReason != "length" || len(one.Logprobs.TokenLogprobs) != 12 || whole.Usage.CompletionTokens != 12 {
		return fmt.Errorf("%s", whole.RawJSON())
	}
	stream, text := c.Completions.NewStreaming(ctx, p), ""
	for stream.Next() {
		text += stream.Current().Choices[0].Text
	}
	if stream.Err() != nil || text != one.Text {
		return fmt.Errorf("a stream has %q, %v, not %q", text, stream.Err(), one.Text)
	}
	return nil
}

func (c *client) chat(ctx context.Context) error {
	p := openai.ChatCompletionNewParams{Model: c.model, Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage("Be kind."), openai.UserMessage("Who goes there?")},
		MaxCompletionTokens: openai.Int(12), Temperature: openai.Float(0), Logprobs: openai.Bool(true), TopLogprobs: openai.Int(2),
		StreamOptions: openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}}
	stream := c.Chat.Completions.NewStreaming(ctx, p)
	all := openai.ChatCompletionAccumulator{}
	for stream.Next() {
		if !all.AddChunk(stream.Current()) {
			return fmt.Errorf("chunk %s does not fit", stream.Current().RawJSON())
		}
	}
	if stream.Err() != nil {
		return stream.Err()
	}
	p.StreamOptions = openai.ChatCompletionStreamOptionsParam{}
	whole, err := c.Chat.Completions.New(ctx, p)
	if err != nil {
		return err
	}
	one := whole.Choices[0]
	if all.Choices[0].Message.Content != one.Message.Content || all.Usage.CompletionTokens != 12 || len(one.Logprobs.Content) != 12 || len(one.Logprobs.Content[0].TopLogprobs) != 2 {
		return fmt.Errorf("%s, as a stream %+v", whole.RawJSON(), all)
	}
	if whole.Usage.PromptTokensDetails.CachedTokens != whole.Usage.PromptTokens {
		return fmt.Errorf("asked twice, %s", whole.Usage.RawJSON())
	}
	return nil
}

func (c *client) form(ctx context.Context) error {
	schema := map[string]any{"type": "object", "properties": map[string]any{"age": map[string]any{"type": "integer", "minimum": 1, "maximum": 9}}, "required": []string{"age"}, "additionalProperties": false}
	whole, err := c.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{Model: c.model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("How old?")},
		Seed: openai.Int(3), ResponseFormat: openai.ChatCompletionNewParamsResponseFormatUnion{OfJSONSchema: &openai.ResponseFormatJSONSchemaParam{
			JSONSchema: openai.ResponseFormatJSONSchemaJSONSchemaParam{Name: "age", Schema: schema, Strict: openai.Bool(true)}}}})
	if err != nil {
		return err
	}
	var v struct{ Age int }
	if err := json.Unmarshal([]byte(whole.Choices[0].Message.Content), &v); err != nil || v.Age < 1 || v.Age > 9 {
		return fmt.Errorf("%s, %v", whole.RawJSON(), err)
	}
	return nil
}

func (c *client) errors(ctx context.Context) error {
	_, err := c.Completions.New(ctx, openai.CompletionNewParams{Model: "not-there", Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String("x")}})
	var failed *openai.Error
	if !errors.As(err, &failed) || failed.StatusCode != 404 || failed.Code != "model_not_found" || failed.Param != "model" {
		return fmt.Errorf("another model: %v", err)
	}
	stream := c.Completions.NewStreaming(ctx, openai.CompletionNewParams{Model: openai.CompletionNewParamsModel(c.model), Temperature: openai.Float(3),
		Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String("x")}})
	if stream.Next() || !errors.As(stream.Err(), &failed) || failed.StatusCode != 400 || failed.Param != "temperature" {
		return fmt.Errorf("too warm: %v", stream.Err())
	}
	return nil
}
