package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/engine"
)

func chatCommand() *cli.Command {
	return &cli.Command{
		Name:      "chat",
		Category:  groupRun,
		Usage:     "talk with a model",
		UsageText: "mmrun chat [--model PATH] [--system TEXT] [FLAGS]",
		Description: `Answers what is typed, line by line. A line that ends with a backslash goes on in the next one, and lines between two lines of """ are one message; pasted lines are, too. The arrow keys edit and bring back earlier lines. Ctrl-C stops the answer, or gives up the line; Ctrl-D leaves. Where standard input is no terminal, its lines are the messages.

The conversation is written by the model's chat template; a model that has none gets plain: role, colon, text, line by line. What the model has read is kept: for each message only what is new is computed.

Lines that begin with a slash are commands:
  /retry           answer the last message again, otherwise
  /fork [N]        go on in a copy of the conversation, or in number N
  /system [TEXT]   have TEXT before the conversation, or nothing
  /save FILE       write the conversation and the model's state to FILE
  /load FILE       go on with the one in FILE
  /notes           what a MemMamba wrote down of the conversation
  /new             begin another conversation
  /help, /quit

Examples:
mmrun chat
mmrun chat --model ~/models/mamba-chat --system "Answer in one sentence." --temp 0
printf 'Hello\nWho are you?\n' | mmrun chat --chat-template chatml`,
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "system", Category: "Conversation", Usage: "`TEXT` before the conversation that says how to answer"},
			&cli.IntFlag{Name: "max-tokens", Aliases: []string{"n"}, Category: "Conversation", Value: 1024, Usage: "answer with at most `N` tokens"},
			chatTemplateFlag(),
		}, samplingFlags(), engineFlags()),
		Action: chatAction,
	}
}

func chatAction(c *cli.Context) (err error) {
	if err := cmp.Or(noArguments(c), checkEngineFlags(c)); err != nil {
		return err
	}
	options := engine.GenerateOptions{MaxTokens: c.Int("max-tokens")}
	if options.Sample, err = flagSampling(c); err != nil {
		return err
	}
	src, err := sourceOf(c)
	if err != nil {
		return err
	}
	t := &talk{options: options, system: c.String("system")}
	if t.template, err = servedTemplate(c, src); err != nil {
		return err
	}
	if t.tok, err = src.tokenizer(); err != nil {
		return err
	}
	if t.opened, err = openEngine(c, src); err != nil {
		return err
	}
	defer t.close(&err)
	t.options.Sample.Vocab = t.tok.VocabSize() // rows beyond it are padding
	modelSampling(c, &t.options.Sample, t.Generation().Sampling)
	if t.state, err = t.NewState(); err != nil {
		return err
	}
	s := &chatting{talks: []*talk{t}, talk: t, out: c.App.Writer, console: t.console, lines: linesOf(c.App.Reader, c.App.Writer)}
	defer func() {
		for _, t := range s.talks {
			t.end()
		}
	}()
	return s.run(signalsOf(c))
}

// chatting is one run of the command.
type chatting struct {
	talks   []*talk // that /fork made
	talk    *talk   // under way
	out     io.Writer
	console *console
	lines   lineReader

	ctx  context.Context // of the program
	mu   sync.Mutex
	stop context.CancelFunc // of the answer under way, nil while there is none
}

// run answers until there is nothing more to read.
func (s *chatting) run(sig *signals) error {
	s.ctx = sig.ctx
	defer s.lines.restore()
	sig.perTask(s.interrupt, s.ended)
	if _, ok := s.lines.(*terminalLines); ok {
		s.console.note(fmt.Sprintf("%s, template %s. /help says what there is; Ctrl-D leaves.", s.talk.source.Name(), s.talk.template.Name))
	}
	for {
		line, err := readMessage(s.lines, s.prompt(), ". ")
		switch {
		case errors.Is(err, errAbandoned):
			continue
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		err = s.take(line)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if s.ctx.Err() != nil {
			return context.Cause(s.ctx)
		}
		if err != nil {
			return err
		}
	}
}

// prompt is what stands before a line.
func (s *chatting) prompt() string {
	if len(s.talks) == 1 {
		return "> "
	}
	return fmt.Sprintf("%d> ", slices.Index(s.talks, s.talk)+1)
}

// interrupt stops the answer under way; without one it ends the program unless a person is at its terminal.
func (s *chatting) interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		s.stop()
		return
	}
	if _, ok := s.lines.(*terminalLines); !ok {
		os.Exit((&interruptError{syscall.SIGINT}).status())
	}
}

// ended ends the program that waits for a line; one with an answer under way ends after it.
func (s *chatting) ended(by *interruptError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop == nil {
		s.lines.restore()
		os.Exit(by.status())
	}
}

// answering runs what can be stopped with Ctrl-C.
func (s *chatting) answering(f func(ctx context.Context) error) error {
	ctx, stop := context.WithCancel(s.ctx)
	s.mu.Lock()
	s.stop = stop
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.stop = nil
		s.mu.Unlock()
		stop()
	}()
	return f(ctx)
}

// show streams a piece of an answer out.
func (s *chatting) show(piece string) error {
	if piece == "" {
		return nil
	}
	s.console.clear()
	if _, err := io.WriteString(s.out, piece); err != nil {
		return outputError{err}
	}
	return nil
}

// outputError is that standard output takes no more.
type outputError struct{ error }

func (e outputError) Error() string { return "standard output: " + e.error.Error() }
func (e outputError) Unwrap() error { return e.error }

// answer shows an answer, and what went wrong with it. Only a broken output is an error.
func (s *chatting) answer(make func(context.Context, func(string) error) (*mmrun.Text, error)) error {
	t := s.talk
	progress := s.console.progress("reading", tokenWords)
	t.options.Progress = func(done, total int) { progress(int64(done), int64(total)) }
	var text *mmrun.Text
	err := s.answering(func(ctx context.Context) (err error) {
		text, err = make(ctx, s.show)
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			err = nil
		}
		return err
	})
	s.console.clear()
	if broken := (outputError{}); errors.As(err, &broken) {
		return err
	}
	if text == nil {
		return s.say(err)
	}
	if !strings.HasSuffix(text.String(), "\n") {
		err = cmp.Or(s.show("\n"), err)
	}
	s.console.note(fmt.Sprintf("%s · %d tokens read, %d written, %.1f tok/s", text.Finish, t.turn.read, len(text.Tokens), t.turn.rate))
	return err
}

// say tells of an error, and goes on.
func (s *chatting) say(err error) error {
	if err != nil {
		s.console.clear()
		fmt.Fprintln(s.console.w, "mmrun:", err)
	}
	return nil
}
