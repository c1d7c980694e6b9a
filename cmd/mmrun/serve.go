package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/chat"
	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/models"
	"github.com/mmrun/mmrun/server"
	"github.com/mmrun/mmrun/server/store/remote"
)

func serveCommand() *cli.Command {
	return &cli.Command{
		Name:      "serve",
		Category:  groupRun,
		Usage:     "answer OpenAI's API over HTTP",
		UsageText: "mmrun serve [--model [NAME=]PATH]… [--listen ADDRESS] [FLAGS]",
		Description: `Answers /v1/completions and /v1/chat/completions as OpenAI's API has them, for as many clients at a time as come, and prints its address once it listens. Beside them are /v1/sessions, which keeps states by name, /tokenize and /detokenize, /health, /ready, /metrics for Prometheus, and a page at /. docs/serve.md has examples.

What a prompt has in common with an earlier one is not read again: states after messages, prompts, answers and every 512 tokens are kept in memory, then in --state-dir. Answers are the same, to the bit, with and without. With --state-store several servers share their sessions, and any of them goes on with any.

With several models a request says which it means. The first is opened at once, others when they are first asked for; when memory is short, those longest idle are closed. Conversations are written by the model's chat template; a model that has none gets plain: role, colon, text, line by line.

SIGTERM and Ctrl-C end it: what is new is refused, what runs is finished within --drain. A second signal ends it at once.

Examples:
mmrun serve
mmrun serve --model ~/models/mamba-130m-hf --listen :8080 --api-key-file keys
mmrun serve --model small=~/models/mamba-130m --model large=~/models/mamba-2.8b --state-dir /var/lib/mmrun
mmrun serve --listen :8080 --api-key-file keys --state-store redis://cache:6379/0 --state-ttl 720h
curl http://127.0.0.1:8080/v1/completions -d '{"prompt": "It was a dark night", "max_tokens": 50}'`,
		Flags:  slices.Concat(serveFlags(), boundFlags(), engineFlags()[1:]),
		Action: serveAction,
	}
}

func serveFlags() []cli.Flag {
	const category = "Server"
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "model", Category: "Model", DefaultText: "the bundled model",
			Usage: "`[NAME=]PATH` of a model, and the name that requests have for it; may be given several times"},
		chatTemplateFlag(),
		&cli.StringFlag{Name: "listen", Category: category, Value: "127.0.0.1:8080", Usage: "`ADDRESS` to listen at"},
		&cli.StringFlag{Name: "api-key-file", Category: category, Usage: "`FILE` with a key a line, of which a request has to have one"},
		&cli.StringFlag{Name: "allow-origin", Category: category, Usage: "`ORIGIN` whose pages may ask, or *"},
		&cli.DurationFlag{Name: "drain", Category: category, Value: defaultDrain, Usage: "finish what runs within `TIME` after SIGTERM"},
		&cli.BoolFlag{Name: "log-prompts", Category: category, Usage: "have prompts in the log"},
		&cli.StringFlag{Name: "pprof", Category: category, Usage: "profiles of the program at another `ADDRESS`, under /debug/pprof/"},
		&cli.StringFlag{Name: "state-cache", Category: "State", Value: "1GiB", Usage: "keep states of up to `SIZE` in memory; 0 for none"},
		&cli.StringFlag{Name: "state-dir", Category: "State", Usage: "keep further states, and sessions, in `DIR`"},
		&cli.StringFlag{Name: "state-store", Category: "State",
			Usage: "keep sessions at `URL`, which several servers may share: redis://, rediss://, s3://, gs://, file:///DIR"},
		&cli.DurationFlag{Name: "state-ttl", Category: "State", DefaultText: "never",
			Usage: "remove sessions that nobody went on with for `TIME`"},
		&cli.StringFlag{Name: "state-disk", Category: "State", Value: "16GiB", Usage: "up to `SIZE` of states there, sessions not counted"},
	}
}

func chatTemplateFlag() cli.Flag {
	return &cli.StringFlag{Name: "chat-template", Category: "Model", DefaultText: "the model's own, or plain",
		Usage: "write conversations by a template `FILE`, or by chatml or plain"}
}

func boundFlags() []cli.Flag {
	const category = "Bounds"
	return []cli.Flag{
		&cli.DurationFlag{Name: "max-wait", Category: category, Value: engine.DefaultMaxWait,
			Usage: "reading prompts may add `TIME` on the device between two tokens of an answer"},
		&cli.IntFlag{Name: "max-context", Category: category, Value: server.DefaultMaxContext, Usage: "at most `N` tokens of a prompt and its answer"},
		&cli.IntFlag{Name: "max-concurrent", Category: category, Value: server.DefaultMaxConcurrent, Usage: "make `N` answers of a model at a time"},
		&cli.IntFlag{Name: "copies", Category: category, DefaultText: "as many as cores for a small model on a software device, else 1",
			Usage: "open each model `N` times, to make several answers at once"},
		&cli.IntFlag{Name: "max-queue", Category: category, Value: server.DefaultMaxQueue, Usage: "let `N` further requests wait; others get 429"},
		&cli.StringFlag{Name: "max-body", Category: category, Value: "16MiB", Usage: "`SIZE` of a request"},
	}
}

func serveAction(c *cli.Context) error {
	o, err := serverOptions(c)
	if err != nil {
		return err
	}
	if o.Models, err = servedModels(c); err != nil {
		return err
	}
	if address := c.String("state-store"); address != "" {
		if o.Store, err = remote.Open(c.Context, address, o.SessionTTL); err != nil {
			return fmt.Errorf("--state-store: %w", err)
		}
	}
	sig := signalsOf(c)
	sig.graceful()
	l, err := net.Listen("tcp", c.String("listen"))
	if err != nil {
		return err
	}
	defer l.Close() // Serve closes it, too
	o.Loopback = isLoopback(l.Addr())
	s, err := server.New(o)
	if err != nil {
		return err
	}
	if err := serveProfiles(sig.ctx, c.String("pprof")); err != nil {
		return err
	}
	names := []string{}
	for _, m := range o.Models {
		o.Log.Info("model", "name", m.Name, "chat_template", m.Template.Name)
		names = append(names, m.Name)
	}
	if !o.Loopback && o.Keys == nil {
		o.Log.Warn("anybody who reaches this address may ask: there is no --api-key-file")
	}
	if err := printText(c, fmt.Sprintf("serving %s at http://%s\n", strings.Join(names, ", "), l.Addr())); err != nil {
		return err
	}
	return s.Serve(sig.ctx, l, c.Duration("drain"))
}

// serverOptions reads the flags, except for models.
func serverOptions(c *cli.Context) (o server.Options, err error) {
	if err := cmp.Or(noArguments(c), checkEngineFlags(c)); err != nil {
		return o, err
	}
	level := slog.LevelInfo
	if c.Bool("quiet") {
		level = slog.LevelError
	}
	o = server.Options{
		AllowOrigin: c.String("allow-origin"), StateDir: c.String("state-dir"), SessionTTL: c.Duration("state-ttl"),
		MaxWait: c.Duration("max-wait"), MaxContext: c.Int("max-context"), MaxConcurrent: c.Int("max-concurrent"), MaxQueue: c.Int("max-queue"),
		LogPrompts: c.Bool("log-prompts"), Log: slog.New(slog.NewTextHandler(c.App.ErrWriter, &slog.HandlerOptions{Level: level})),
	}
	for name, size := range map[string]*int64{"state-cache": &o.StateCache, "state-disk": &o.StateDisk, "max-body": &o.MaxBody} {
		if *size, err = parseBytes(c.String(name)); err != nil {
			return o, usagef("--%s: %v", name, err)
		}
	}
	if o.MaxBody == 0 {
		return o, usagef("--max-body: a request has more than nothing")
	}
	if o.StateCache == 0 {
		o.StateCache = -1 // none; 0 would be the default
	}
	if o.MaxQueue == 0 {
		o.MaxQueue = -1
	}
	if name := c.String("api-key-file"); name != "" {
		if o.Keys, err = server.ReadKeys(name); err != nil {
			return o, fileError(name, err)
		}
	}
	return o, nil
}

// servedModels are the models that the flags name. Their files are looked at now, so that a wrong path is found before
// anything is served; weights are loaded later.
func servedModels(c *cli.Context) ([]server.Model, error) {
	args := c.StringSlice("model")
	if len(args) == 0 {
		src, err := sourceOf(c)
		if err != nil {
			return nil, err
		}
		m, err := servedModel(c, models.Bundled, src)
		return []server.Model{m}, err
	}
	var all []server.Model
	for _, arg := range args {
		name, path, named := strings.Cut(arg, "=")
		if !named {
			path = arg
			name = strings.TrimSuffix(filepath.Base(filepath.Clean(path)), ".gguf")
		}
		if name == "" || path == "" {
			return nil, usagef("--model %q is neither PATH nor NAME=PATH", arg)
		}
		if slices.ContainsFunc(all, func(m server.Model) bool { return m.Name == name }) {
			return nil, usagef("--model: two models are named %q; give one another name by NAME=PATH", name)
		}
		src, err := sourceAt(c, path)
		if err != nil {
			return nil, err
		}
		m, err := servedModel(c, name, src)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

func servedModel(c *cli.Context, name string, src source) (server.Model, error) {
	t, err := servedTemplate(c, src)
	if err != nil {
		return server.Model{}, err
	}
	off, err := disabled(c)
	options := engine.Options{Device: c.String("device"), Disable: off, Validate: c.Bool("validate"), Chunk: c.Int("chunk"), Quantize: c.String("quantize"),
		Warn: func(line string) { newConsole(c.App.ErrWriter, c.Bool("quiet"), signalsOf(c)).warn("%s", line) }}
	print := func() ([32]byte, error) {
		files, err := src.again()
		if err != nil {
			return [32]byte{}, err
		}
		defer files.Close()
		return engine.FingerprintOf(files, options)
	}
	return server.Model{Name: name, Template: t, Copies: copiesOf(c, src), Fingerprint: print, Open: func() (*mmrun.Model, error) {
		undo, err := suitSoftware(src)
		if err != nil {
			return nil, err
		}
		defer undo()
		files, err := src.again()
		if err != nil {
			return nil, err
		}
		return mmrun.OpenSource(files, options)
	}}, err
}

// servedTemplate is the chat template of a model.
func servedTemplate(c *cli.Context, src source) (*server.Template, error) {
	if t, ok := server.BuiltinTemplate(c.String("chat-template")); ok {
		return t, nil
	}
	if name := c.String("chat-template"); name != "" {
		in, err := readFile(c, name)
		if err != nil {
			return nil, err
		}
		t, err := chat.Parse(in.name, in.text)
		if err != nil {
			return nil, err
		}
		if own, err := chat.Load(checkpoint.Files(src), src.Path); err == nil {
			t.Tokens = own.Tokens
		}
		return server.NewTemplate(filepath.Base(name), t), nil
	}
	t, err := chat.Load(checkpoint.Files(src), src.Path)
	if errors.Is(err, fs.ErrNotExist) {
		plain, _ := server.BuiltinTemplate(server.Plain)
		return plain, nil
	}
	if err != nil {
		return nil, err
	}
	return server.NewTemplate("the model's", t), nil
}

// isLoopback says whether only this machine reaches an address.
func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// serveProfiles answers at another address until ctx ends, if there is one.
func serveProfiles(ctx context.Context, address string) error {
	if address == "" {
		return nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { l.Close() })
	go server.ServeProfiles(l)
	return nil
}
