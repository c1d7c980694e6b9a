package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// terminalWidth is the number of columns of the terminal behind w, or otherwise when there is none.
func terminalWidth(w io.Writer, otherwise int) int {
	if f, ok := w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 20 {
			return columns
		}
	}
	return otherwise
}

// style marks text up for terminals that can show it, and leaves it alone for everything else.
type style bool

func styleOf(w io.Writer) style {
	return style(isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb")
}

func (s style) bold(text string) string { return s.wrap("\x1b[1m", text) }
func (s style) dim(text string) string  { return s.wrap("\x1b[2m", text) }

func (s style) wrap(on, text string) string {
	if !s {
		return text
	}
	return on + text + "\x1b[0m"
}

// console is what mmrun says about its own work, on standard error. Progress and timings are for
// a person watching: they are shown on a terminal only, and --quiet turns everything off.
type console struct {
	w     io.Writer
	quiet bool
	live  bool // progress and timings are shown
	style style

	mu    sync.Mutex
	bar   bool // an unfinished line is on the terminal
	start time.Time
	next  time.Time
}

func newConsole(w io.Writer, quiet bool, sig *signals) *console {
	c := &console{w: w, quiet: quiet, live: !quiet && isTerminal(w), style: styleOf(w)}
	sig.onExit(c.clear)
	return c
}

// warn prints one line that matters even when nobody is watching.
func (c *console) warn(format string, args ...any) {
	if !c.quiet {
		c.clear()
		fmt.Fprintf(c.w, "mmrun: %s\n", visible(fmt.Sprintf(format, args...)))
	}
}

// note prints a closing line.
func (c *console) note(line string) {
	if c.live {
		c.clear()
		fmt.Fprintln(c.w, c.style.dim(line))
	}
}

const (
	progressAfter = 300 * time.Millisecond // what is over sooner is not worth a bar
	progressEvery = 100 * time.Millisecond
)

// progress starts a bar; the function it returns moves it. rate words the amount and speed.
func (c *console) progress(label string, words func(done, total int64, spent time.Duration) string) func(done, total int64) {
	if !c.live {
		return func(int64, int64) {}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.start = time.Now()
	c.next = c.start.Add(progressAfter)
	return func(done, total int64) {
		c.mu.Lock()
		defer c.mu.Unlock()
		now := time.Now()
		if total <= 0 || now.Before(c.next) {
			return
		}
		c.next = now.Add(progressEvery)
		c.bar = true
		text := words(done, total, now.Sub(c.start))
		fmt.Fprintf(c.w, "\r\x1b[K%s", barLine(label, text, done, total, terminalWidth(c.w, 80)))
	}
}

// clear takes the bar off the terminal.
func (c *console) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bar {
		fmt.Fprint(c.w, "\r\x1b[K")
		c.bar = false
	}
}

// barLine fits label, bar, percentage and text into one line of the terminal.
func barLine(label, text string, done, total int64, columns int) string {
	done = max(0, min(done, total))
	head := fmt.Sprintf("%-8s", label)
	tail := fmt.Sprintf(" %3d%%  %s", 100*done/total, text)
	room := min(40, columns-1-len(head)-utf8.RuneCountInString(tail))
	if room < 5 {
		return head + strings.TrimSpace(tail)
	}
	full := int(int64(room) * done / total)
	return head + strings.Repeat("█", full) + strings.Repeat("░", room-full) + tail
}

// byteWords words progress in bytes, tokenWords in tokens with their rate.
func byteWords(done, total int64, _ time.Duration) string {
	return formatBytes(done) + " of " + formatBytes(total)
}

func tokenWords(done, total int64, spent time.Duration) string {
	return fmt.Sprintf("%d of %d tokens, %.0f tok/s", done, total, perSecond(int(done), spent))
}

// perSecond is n per second of d, 0 when d is nothing.
func perSecond(n int, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}

// formatBytes is a size with a binary unit and three or four digits.
func formatBytes(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	value, unit := float64(n), 0
	for value >= 1000 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	switch {
	case unit == 0 || value >= 99.95:
		return fmt.Sprintf("%.0f %s", value, units[unit])
	case value >= 9.995:
		return fmt.Sprintf("%.1f %s", value, units[unit])
	default:
		return fmt.Sprintf("%.2f %s", value, units[unit])
	}
}

// counted is how many there are of something, in words that fit.
func counted(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", one, "s")
}

// formatCount is a number with a decimal unit, as parameter counts are given.
func formatCount(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.2f B", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f M", float64(n)/1e6)
	case n >= 1e4:
		return fmt.Sprintf("%.1f k", float64(n)/1e3)
	default:
		return fmt.Sprint(n)
	}
}
