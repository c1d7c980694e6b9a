package server_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/server"
)

// pageTexts are the page's files by name.
func pageTexts(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("page/*")
	if err != nil || len(names) < 5 {
		t.Fatalf("%v: %v", names, err)
	}
	all := map[string]string{}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(name)] = string(data)
	}
	return all
}

// TestPageIsServed: every file comes, of its type, without a key, and may load nothing from elsewhere.
func TestPageIsServed(t *testing.T) {
	r := start(t, server.Options{Keys: []string{"secret"}})
	kinds := map[string]string{".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
	for name, text := range pageTexts(t) {
		at := "/" + name
		if name == "index.html" {
			at = "/"
		}
		status, header, data := r.do("GET", at, nil)
		if status != 200 || string(data) != text || !strings.HasPrefix(header.Get("Content-Type"), kinds[filepath.Ext(name)]) {
			t.Errorf("%s: %d %s, %d bytes", at, status, header.Get("Content-Type"), len(data))
		}
		policy := header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy %q lacks %q", at, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") || header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v", at, header)
		}
	}
	r.failed("POST", "/v1/notes", `{"prompt": "x"}`, 401)
}

// TestPageAsksNobodyElse: no file names another place, and none makes HTML of a text.
func TestPageAsksNobodyElse(t *testing.T) {
	outside := regexp.MustCompile(`(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}[^ ]*|@import|url\(|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|style="| on[a-z]+="`)
	asked := regexp.MustCompile(`(?:src|href)="([^"]+)"|from "([^"]+)"`)
	files := pageTexts(t)
	for name, text := range files {
		for _, found := range outside.FindAllString(text, -1) {
			if found != "//www.w3.org/2000/svg\"" && found != `http://www.w3.org/2000/svg"` {
				t.Errorf("%s has %s", name, found)
			}
		}
		for _, m := range asked.FindAllStringSubmatch(text, -1) {
			file := strings.TrimLeft(m[1]+m[2], "./")
			if _, ok := files[file]; !ok && !strings.HasPrefix(m[1], "#") {
				t.Errorf("%s asks for %s, which is not there", name, m[0])
			}
		}
	}
}

// TestPageFitsItsScripts: what scripts look for is there, and everything that can be used has a name.
func TestPageFitsItsScripts(t *testing.T) {
	files := pageTexts(t)
	html := files["index.html"]
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(html, -1) {
		if ids[m[1]] {
			t.Errorf("two elements are %q", m[1])
		}
		ids[m[1]] = true
	}
	for name, text := range files {
		for _, m := range regexp.MustCompile(`byId\("([^"]+)"\)`).FindAllStringSubmatch(text, -1) {
			if !ids[m[1]] {
				t.Errorf("%s looks for %q, which the page has not", name, m[1])
			}
		}
	}
	for _, m := range regexp.MustCompile(` (?:for|aria-controls|aria-labelledby|aria-describedby|href)="#?([a-z_-]+)"`).FindAllStringSubmatch(html, -1) {
		if !ids[m[1]] {
			t.Errorf("%s names nothing", m[0])
		}
	}
	for _, m := range regexp.MustCompile(`<label>[^<]*<(?:select|input)[^>]*>|<(input|select|textarea) [^>]*>`).FindAllString(html, -1) {
		id := regexp.MustCompile(` id="([^"]+)"`).FindStringSubmatch(m)
		if id == nil || !strings.HasPrefix(m, "<label>") && !strings.Contains(m, "aria-label") && !strings.Contains(html, `for="`+id[1]+`"`) {
			t.Errorf("%s has no label", m)
		}
	}
}
