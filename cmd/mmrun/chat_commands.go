package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/memmamba"
)

// take does what a line asks for: it answers a message, or follows a command. io.EOF ends the program.
func (s *chatting) take(line string) error {
	if strings.TrimSpace(line) == "" {
		return nil
	}
	if !strings.HasPrefix(line, "/") {
		return s.answer(func(ctx context.Context, show func(string) error) (*mmrun.Text, error) {
			return s.talk.reply(ctx, line, show)
		})
	}
	name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	rest = strings.TrimSpace(rest)
	switch name {
	case "/quit", "/exit":
		return io.EOF
	case "/retry":
		return s.answer(s.talk.retry)
	case "/system":
		s.talk.system = rest
		return s.tell(map[bool]string{true: "no system text", false: "system text set"}[rest == ""])
	case "/fork":
		return s.fork(rest)
	case "/new":
		s.talk.messages = nil
		return s.tell("a new conversation")
	case "/save":
		return s.file(rest, "saved to", s.talk.save)
	case "/load":
		return s.file(rest, "loaded from", s.talk.load)
	case "/notes":
		return s.notes()
	case "/help":
		_, commands, _ := strings.Cut(chatCommand().Description, "commands:\n")
		commands, _, _ = strings.Cut(commands, "\n\nExamples")
		return s.tell(commands)
	}
	return s.say(fmt.Errorf("there is no command %s; /help lists them", name))
}

// tell prints what a command did: to a person, not into a file of answers.
func (s *chatting) tell(what string) error {
	s.console.note(what)
	return nil
}

// file saves or loads.
func (s *chatting) file(path, done string, do func(string) error) error {
	if path == "" {
		return s.say(fmt.Errorf("a file is missing, as in /save talk.json"))
	}
	if err := do(path); err != nil {
		return s.say(err)
	}
	return s.tell(done + " " + path)
}

// mostTalks bounds how many conversations there are, each with states of its own.
const mostTalks = 32

// fork goes on in a copy of the conversation, or in another that there is.
func (s *chatting) fork(number string) error {
	if number != "" {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > len(s.talks) {
			return s.say(fmt.Errorf("/fork %s: there are conversations 1 to %d", number, len(s.talks)))
		}
		s.talk = s.talks[n-1]
		return s.tell("conversation " + number)
	}
	if len(s.talks) == mostTalks {
		return s.say(fmt.Errorf("/fork: there are %d conversations already", mostTalks))
	}
	t, err := s.talk.fork()
	if err != nil {
		return s.say(err)
	}
	s.talks = append(s.talks, t)
	s.talk = t
	return s.tell(fmt.Sprintf("conversation %d, a copy", len(s.talks)))
}

// notes shows what the model wrote down of the conversation.
func (s *chatting) notes() error {
	t := s.talk
	if memmamba.MemoryWindow(t.Config()) == 0 {
		return s.say(fmt.Errorf("a model of model_type %q writes no notes (memmamba does)", t.Sizes().ModelType))
	}
	if len(t.known) == 0 {
		return s.say(fmt.Errorf("nothing was read yet"))
	}
	return s.answering(func(ctx context.Context) error {
		r, err := t.takeNotes(ctx, t.known, t.tok)
		if err != nil {
			return s.say(err)
		}
		return s.show(r.text())
	})
}
