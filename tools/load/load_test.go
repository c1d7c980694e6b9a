package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mmrun/mmrun/models"
)

// bundled is the model that the tests ask.
var bundled = filepath.Join("..", "..", "models", models.Bundled)

func TestMain(m *testing.M) {
	os.Setenv("LP_NUM_THREADS", "0") // Mesa's software device: waking threads takes longer than kernels of so small a model do
	os.Exit(m.Run())
}

// TestLoad: mmrun serve under clients who go away, are slow and go on from earlier prompts loses and mixes up nothing
// and keeps nothing; a conversation is read once, also in another process.
func TestLoad(t *testing.T) {
	program := filepath.Join(t.TempDir(), "mmrun")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, "../../cmd/mmrun").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var out strings.Builder
	args := "--for 3s --clients 1,6 --places 4 --prompt 300 --tokens 24 --turns 4 --turn 250"
	err := run(t.Context(), append(strings.Fields(args), "--mmrun", program, "--model", bundled), &out, io.Discard)
	if err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
	for _, want := range []string{`\n +1 +[1-9]\d* .*\n +6 +[1-9]\d* `, `\n0 lost; of [1-9]\d* answers .* 0 are wrong\n`, `\nopen handles +[1-9]`, `\n +4 +\d{3} `, `\nmoved to another `} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("%s is not in\n%s", want, &out)
		}
	}
}

// TestFindsWrong: answers that are not the model's, that are cut short or no answers at all are found.
func TestFindsWrong(t *testing.T) {
	for _, test := range []struct{ said, want string }{
		{`data: {"choices":[{"text":"Hm","finish_reason":"length"}]}` + "\n\ndata: [DONE]\n\n", `answer 0, after 1 tokens: "Hm", alone "`},
		{`data: {"choices":[{"text":""}]}` + "\n\n", "answer 0: a stream was cut short"},
		{`data: {"choices":[{"text":""}]}` + "\n\ndata: [DONE]\n\n", "answer 0: a stream ends without saying why"},
		{`data: {"error":{"message":"no more"}}` + "\n\n", "answer 0: no more"},
	} {
		asked := 0
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if asked++; r.URL.Path == "/v1/completions" && asked > 5 { // those before warm it up
				time.Sleep(time.Millisecond)
				fmt.Fprint(w, test.said)
				return
			}
			fmt.Fprint(w, `data: {"choices":[{"text":"","finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n")
		}))
		args := "--for 1ms --clients 1 --places 1 --prompt 1 --tokens 4 --plain --check 1"
		err := run(t.Context(), append(strings.Fields(args), "--url", s.URL, "--model", bundled), io.Discard, io.Discard)
		s.Close()
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%q: got %v, want %s", test.said, err, test.want)
		}
	}
}

func TestGrown(t *testing.T) {
	had := metrics{memoryMetric: 100 << 20, handlesMetric: 9, goroutinesMetric: 12, deviceMetric: 1 << 20}
	if err := grown(had, had, had); err != nil {
		t.Error(err)
	}
	for name, more := range map[string]float64{memoryMetric: 48 << 20, handlesMetric: 3, goroutinesMetric: 2, deviceMetric: 1} {
		has := metrics{}
		for key, value := range had {
			has[key] = value
		}
		has[name] += more
		if err := grown(had, had, has); err == nil || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("%s grew by %.0f: %v", name, more, err)
		}
	}
}

// TestOnlyNew: a turn that reads more than what is new is found.
func TestOnlyNew(t *testing.T) {
	c := &conversation{prompt: 100, known: 150, whole: true}
	for cached, ok := range map[int]bool{149: false, 150: true, 199: true, 200: false} {
		if err := c.onlyNew("turn", &answer{prompt: 200, cached: cached}); (err == nil) != ok {
			t.Errorf("%d of 200 cached: %v", cached, err)
		}
	}
	c.whole = false
	if err := c.onlyNew("turn", &answer{prompt: 200, cached: 100}); err != nil {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"x", `unexpected argument "x"`},
		{"--clients 1,0", `--clients: "0" is no number of clients`},
		{"--tokens 0", "--prompt 4000, --tokens 0 and --places 8 have to be 1 or more"},
		{"--turns 2", "a conversation has 3 turns or more of 200 tokens or more, not 2 of 800"},
		{"--model /absent --turns 0", "/absent: no such file or directory"},
	} {
		if err := run(context.Background(), strings.Fields(c.args), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.args, err, c.want)
		}
	}
}
