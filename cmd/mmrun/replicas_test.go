package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// freePort is an address that nobody listens at.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// background runs a program until the test ends, and waits until it listens.
func background(t *testing.T, address string, cmd *exec.Cmd) {
	t.Helper()
	said := new(strings.Builder)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for range 500 {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%v does not listen: %s", cmd.Args, said)
}

// redis runs a Redis and returns its URL.
func redis(t *testing.T) string {
	address := freePort(t)
	_, port, _ := net.SplitHostPort(address)
	background(t, address, exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", t.TempDir()))
	return "redis://" + address + "/0"
}

// proxy runs HAProxy as deploy/ has it before two servers, and returns its URL.
func proxy(t *testing.T, one, two *served) string {
	listen := freePort(t)
	cmd := exec.Command("haproxy", "-q", "-f", filepath.Join("..", "..", "deploy", "haproxy.cfg"))
	cmd.Env = append(os.Environ(), "LISTEN="+listen, "SERVER_ONE="+strings.TrimPrefix(one.url, "http://"), "SERVER_TWO="+strings.TrimPrefix(two.url, "http://"))
	cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH")+":/usr/sbin")
	if path, err := exec.LookPath("/usr/sbin/haproxy"); err == nil {
		cmd.Path, cmd.Err = path, nil // a user's PATH may lack it
	}
	background(t, listen, cmd)
	untilReady(t, "http://"+listen)
	return "http://" + listen
}

// An exchange is what a session is asked, and what it answered: text and all log-probabilities.
type exchange struct {
	server, answer string
}

// goOn asks for the next turn of a session.
func goOn(t *testing.T, url, id string, n int) exchange {
	t.Helper()
	resp, err := post(t, url+"/v1/completions", turnOf(id, n))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body struct {
		Choices json.RawMessage
		Usage   json.RawMessage
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("turn %d: %s, %v", n, resp.Status, err)
	}
	return exchange{resp.Header.Get("X-Server"), string(body.Choices) + string(body.Usage)}
}

func turnOf(id string, n int) map[string]any {
	return map[string]any{"session": id, "prompt": fmt.Sprintf("\nAnd in year %d", n), "max_tokens": 60, "temperature": 0.8, "seed": n, "logprobs": 3}
}

// newSession makes a session.
func newSession(t *testing.T, url, id string) {
	t.Helper()
	resp, err := post(t, url+"/v1/sessions", map[string]any{"id": id, "prompt": "It was a dark night"})
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
}

// TestServeReplicas: two servers behind a proxy share their sessions in Redis. One is killed while it answers; the
// conversation goes on at the other as if nothing had been, to the bit.
func TestServeReplicas(t *testing.T) {
	const turns, killed = 5, 3
	store := redis(t)
	servers := map[string]*served{"one": serve(t, "--state-store", store), "two": serve(t, "--state-store", store)}
	url := proxy(t, servers["one"], servers["two"])
	var want []string
	newSession(t, servers["one"].url, "uninterrupted")
	for n := range turns {
		want = append(want, goOn(t, servers["one"].url, "uninterrupted", n).answer)
	}
	newSession(t, url, "tale")
	seen := map[string]bool{}
	for n := range turns {
		if n == killed {
			kill(t, url, servers)
		}
		got := goOn(t, url, "tale", n)
		if seen[got.server] = true; got.answer != want[n] {
			t.Errorf("turn %d at %s is %s\nwithout an interruption it is %s", n, got.server, got.answer, want[n])
		}
	}
	if len(seen) != 2 {
		t.Errorf("only the servers %v answered", seen)
	}
}

// kill begins a long turn and kills the server that answers it.
func kill(t *testing.T, url string, servers map[string]*served) {
	t.Helper()
	body := turnOf("tale", 99)
	body["max_tokens"], body["stream"] = 1<<19, true
	resp, err := post(t, url+"/v1/completions", body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, 2000)); err != nil {
		t.Fatal(err)
	}
	if err := servers[resp.Header.Get("X-Server")].cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(resp.Body); err == nil || strings.Contains(string(rest), "[DONE]") {
		t.Errorf("the stream of a server that was killed ends as if it were whole: %v", err)
	}
}
