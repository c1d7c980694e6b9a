package server_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// browser is a page in a Chromium without a window, spoken to by its DevTools protocol through a pipe.
type browser struct {
	t       *testing.T
	out     *os.File
	session string
	last    int

	mu      sync.Mutex
	answers map[int]chan json.RawMessage
	wrong   []string // exceptions and what the console tells of as an error
	meant   []string // parts of errors that are meant to be
}

// browse opens a page.
func browse(t *testing.T, url string) *browser {
	t.Helper()
	toIn, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	in, fromOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{toIn, fromOut}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	toIn.Close()
	fromOut.Close()
	b := &browser{t: t, out: out, answers: map[int]chan json.RawMessage{}}
	go b.listen(in)
	t.Cleanup(func() {
		b.ask("Browser.close", nil, nil)
		cmd.Wait()
		out.Close()
	})
	var target struct{ TargetID string }
	b.ask("Target.createTarget", map[string]any{"url": url}, &target)
	var attached struct{ SessionID string }
	b.ask("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	b.size(1200, 800)
	b.ask("Runtime.enable", nil, nil)
	b.ask("Log.enable", nil, nil)
	t.Cleanup(b.clean)
	return b
}

// listen hands answers to those who asked.
func (b *browser) listen(in *os.File) {
	defer in.Close()
	for r := bufio.NewReader(in); ; {
		data, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m struct {
			ID     int
			Method string
			Params json.RawMessage
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		if json.Unmarshal(data[:len(data)-1], &m) != nil || m.ID == 0 {
			if m.Method == "Runtime.exceptionThrown" || m.Method == "Log.entryAdded" && strings.Contains(string(m.Params), `"level":"error"`) {
				b.mu.Lock()
				b.wrong = append(b.wrong, string(m.Params))
				b.mu.Unlock()
			}
			continue
		}
		if m.Error != nil {
			b.t.Errorf("the browser: %s", m.Error.Message)
		}
		b.mu.Lock()
		answer := b.answers[m.ID]
		delete(b.answers, m.ID)
		b.mu.Unlock()
		answer <- m.Result
	}
}

// clean fails the test where something went wrong in the page that was not meant to.
func (b *browser) clean() {
	b.mu.Lock()
	defer b.mu.Unlock()
next:
	for _, text := range b.wrong {
		for _, one := range b.meant {
			if strings.Contains(text, one) {
				continue next
			}
		}
		b.t.Errorf("in the page: %.600s", text)
	}
}

// ask calls a method of the browser.
func (b *browser) ask(method string, params map[string]any, result any) {
	b.t.Helper()
	answer := make(chan json.RawMessage, 1)
	b.mu.Lock()
	b.last++
	id := b.last
	b.answers[id] = answer
	b.mu.Unlock()
	if params == nil {
		params = map[string]any{}
	}
	m := map[string]any{"id": id, "method": method, "params": params}
	if b.session != "" && !strings.HasPrefix(method, "Browser.") {
		m["sessionId"] = b.session
	}
	data, err := json.Marshal(m)
	if err == nil {
		_, err = b.out.Write(append(data, 0))
	}
	if err != nil {
		b.t.Fatal(err)
	}
	select {
	case data := <-answer:
		if result != nil {
			if err := json.Unmarshal(data, result); err != nil {
				b.t.Fatalf("%s: %v: %s", method, err, data)
			}
		}
	case <-time.After(time.Minute):
		b.t.Fatalf("%s: no answer", method)
	}
}

// value is what an expression of JavaScript is, as text.
func (b *browser) value(expression string) string {
	b.t.Helper()
	var r struct {
		Result           struct{ Value any }
		ExceptionDetails json.RawMessage
	}
	b.ask("Runtime.evaluate", map[string]any{"expression": "String(" + expression + ")", "returnByValue": true, "awaitPromise": true}, &r)
	if r.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, r.ExceptionDetails)
	}
	text, _ := r.Result.Value.(string)
	return text
}

// until waits until an expression is true.
func (b *browser) until(expression string) {
	b.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if b.value(expression) == "true" {
			return
		}
	}
	b.t.Fatalf("%s does not become true: %s", expression, b.value("document.body.innerText"))
}

// types writes text where the focus is, and presses a key after it.
func (b *browser) types(text, key string) {
	b.t.Helper()
	if text != "" {
		b.ask("Input.insertText", map[string]any{"text": text}, nil)
	}
	b.press(key)
}

func (b *browser) press(key string) {
	b.t.Helper()
	codes := map[string]int{"Enter": 13, "Escape": 27, "Tab": 9}
	down := map[string]any{"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
	if key == "Enter" {
		down["text"] = "\r"
	}
	b.ask("Input.dispatchKeyEvent", down, nil)
	b.ask("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": codes[key]}, nil)
}

func (b *browser) size(width, height int) {
	b.t.Helper()
	b.ask("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}, nil)
}

// picture is what the page looks like, as PNG; into a file where a variable of the environment names a folder.
func (b *browser) picture(name string) []byte {
	b.t.Helper()
	var shot struct{ Data string }
	b.ask("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	data, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		b.t.Fatal(err)
	}
	if dir := os.Getenv("MMRUN_PICTURES"); dir != "" {
		if err := os.WriteFile(dir+"/"+name+".png", data, 0o644); err != nil {
			b.t.Fatal(err)
		}
	}
	return data
}
