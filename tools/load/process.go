package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A process is mmrun serve while it runs, or a server of somebody else's.
type process struct {
	url     string
	command *exec.Cmd // nil for somebody else's
}

// start starts mmrun serve and waits until it is ready.
func start(ctx context.Context, o *options, more ...string) (*process, error) {
	if o.url != "" {
		return &process{url: o.url}, nil
	}
	args := []string{"serve", "--quiet", "--listen", "127.0.0.1:0", "--model", o.model, "--max-concurrent", strconv.Itoa(o.places), "--max-queue", "4096"}
	command := exec.Command(o.mmrun, slices.Concat(args, o.serve, more)...)
	command.Stderr = os.Stderr
	said, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	p := &process{command: command}
	line, err := bufio.NewReader(said).ReadString('\n')
	if _, url, ok := strings.Cut(strings.TrimSpace(line), " at "); ok {
		p.url = url
		err = p.ready(ctx)
	} else {
		err = errors.Join(fmt.Errorf("%s serve says %q", o.mmrun, line), err)
	}
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// ready waits until the model is open.
func (p *process) ready(ctx context.Context) error {
	for range 6000 {
		if resp, err := http.Get(p.url + "/ready"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("%s is not ready", p.url)
}

// stop ends the server as a service's manager does, and says if it does not end well.
func (p *process) stop() error {
	if p.command == nil {
		return nil
	}
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	late := time.AfterFunc(time.Minute, func() { p.command.Process.Kill() })
	defer late.Stop()
	if err := p.command.Wait(); err != nil {
		return fmt.Errorf("the server ended with %w", err)
	}
	return nil
}

// Metrics are what a server says of itself at one time: metrics by name.
type metrics map[string]float64

// Names of metrics.
const (
	memoryMetric     = "process_resident_memory_bytes"
	handlesMetric    = "process_open_fds"
	goroutinesMetric = "go_goroutines"
	processorMetric  = "process_cpu_seconds_total"
	deviceMetric     = "mmrun_device_memory_bytes"
	generatedMetric  = "mmrun_generated_tokens_total"
	readMetric       = "mmrun_prompt_tokens_total"
	waitMetric       = "mmrun_longest_wait_seconds"
)

// sample reads the metrics; there are none where a server has others.
func (p *process) sample() metrics {
	s := metrics{}
	resp, err := http.Get(p.url + "/metrics")
	if err != nil {
		return s
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if number, err := strconv.ParseFloat(value, 64); err == nil {
			s[name] = number
		}
	}
	return s
}

// settled is a sample of a server that nobody asks any more: with as few goroutines as before, if that comes soon.
func (p *process) settled(before metrics) (s metrics) {
	for range 100 {
		if s = p.sample(); s[goroutinesMetric] <= before[goroutinesMetric] {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return s
}

// grown says what a server holds more of than before.
func grown(before, middle, after metrics) error {
	var all []error
	for name, room := range map[string]float64{goroutinesMetric: 1, handlesMetric: 2, deviceMetric: 0} {
		if after[name] > before[name]+room {
			all = append(all, fmt.Errorf("%s was %.0f and is %.0f", name, before[name], after[name]))
		}
	}
	if most := 1.15*middle[memoryMetric] + 32<<20; after[memoryMetric] > most {
		all = append(all, fmt.Errorf("%s was %.0f in the middle and is %.0f", memoryMetric, middle[memoryMetric], after[memoryMetric]))
	}
	return errors.Join(all...)
}
