package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/chat"
	"github.com/mmrun/mmrun/checkpoint"
)

func renderCommand() *cli.Command {
	return &cli.Command{
		Name:      "render",
		Category:  groupCheck,
		Usage:     "write a conversation as a model's chat template has it",
		UsageText: "mmrun render --messages FILE [--template FILE | --model PATH] [FLAGS]",
		Description: `Prints the text that a chat template makes of a conversation, with no line end of its own. The messages are a JSON array of objects with role and content. The template is that of the model: chat_template.jinja, or the one in tokenizer_config.json. No device is needed.

Examples:
mmrun render --model ~/models/mamba-chat --messages talk.json
mmrun render --template chat.jinja --messages talk.json --bos "<s>" --eos "</s>" --no-generation-prompt`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "messages", Category: "Input", Usage: "a JSON `FILE` with the messages; - reads standard input"},
			&cli.BoolFlag{Name: "no-generation-prompt", Category: "Input", Usage: "without what begins the answer"},
			modelFlag(),
			&cli.StringFlag{Name: "template", Category: "Model", Usage: "a template `FILE` instead of a model"},
			&cli.StringFlag{Name: "bos", Category: "Model", Usage: "the `TOKEN` that the template calls bos_token", DefaultText: "the model's"},
			&cli.StringFlag{Name: "eos", Category: "Model", Usage: "the `TOKEN` that the template calls eos_token", DefaultText: "the model's"},
		},
		Action: renderAction,
	}
}

func renderAction(c *cli.Context) error {
	if err := exclusive(c, "model", "template"); err != nil {
		return err
	}
	if c.NArg() > 0 {
		return usagef("unexpected argument %q", c.Args().First())
	}
	if c.String("messages") == "" {
		return usagef("no messages: give --messages FILE, or - for standard input")
	}
	in, err := readFile(c, c.String("messages"))
	if err != nil {
		return err
	}
	messages, err := chat.ParseMessages([]byte(in.text))
	if err != nil {
		return fmt.Errorf("%s: %w", in.name, err)
	}
	t, err := chosenTemplate(c)
	if err != nil {
		return err
	}
	out, err := t.Render(chat.Input{Messages: messages, GenerationPrompt: !c.Bool("no-generation-prompt")})
	if err != nil {
		return err
	}
	return printText(c, out.Text)
}

// chosenTemplate is the template that the flags name, with its tokens.
func chosenTemplate(c *cli.Context) (*chat.Template, error) {
	t, err := templateOf(c)
	if err != nil {
		return nil, err
	}
	for flag, name := range map[string]string{"bos": "bos_token", "eos": "eos_token"} {
		if !c.IsSet(flag) {
			continue
		}
		if t.Tokens == nil {
			t.Tokens = map[string]string{}
		}
		t.Tokens[name] = c.String(flag)
	}
	return t, nil
}

func templateOf(c *cli.Context) (*chat.Template, error) {
	if !c.IsSet("template") {
		src, err := sourceOf(c)
		if err != nil {
			return nil, err
		}
		return chat.Load(checkpoint.Files(src), src.Path)
	}
	if c.String("template") == "" {
		return nil, usagef("--template needs the name of a file")
	}
	in, err := readFile(c, c.String("template"))
	if err != nil {
		return nil, err
	}
	return chat.Parse(in.name, in.text)
}
