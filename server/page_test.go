package server_test

import (
	"testing"
	"time"

	"github.com/mmrun/mmrun/server"
)

// Parts of the page.
const (
	lines    = `[...document.querySelectorAll("#messages .text")].map(e => e.textContent)`
	idle     = `document.getElementById("stop").hidden && !!document.getElementById("status").textContent`
	answered = `document.querySelectorAll("#messages li.assistant").length`
)

// TestPage uses the page as a person does, by the keyboard: asks, asks again, changes a message and goes back to the
// branch before, stops an answer, loads the page anew, and looks at the notes.
func TestPage(t *testing.T) {
	r := start(t, server.Options{MaxContext: 1 << 20})
	b := browse(t, r.url+"/")
	b.until(`document.querySelectorAll("#model option").length === 1 && document.activeElement.id === "message"`)
	b.value(`document.getElementById("max_tokens").value = 40`)
	b.value(`document.getElementById("show-notes").click()`)
	b.types("Good morning, captain.", "Enter")
	b.until(idle)
	b.until(`!document.getElementById("notes-body").hidden`)
	if got := b.value(lines + `[0]`); got != "Good morning, captain." {
		t.Errorf("the message is %q", got)
	}
	first := b.value(lines + `[1]`)
	if first == "" {
		t.Error("the answer is empty")
	}
	b.value(`document.querySelector("#messages li.assistant button").click()`) // Retry
	b.until(idle + ` && ` + answered + ` === 1`)
	second := b.value(lines + `[1]`)
	if second == first {
		t.Errorf("answered again it is the same: %q", first)
	}
	b.value(`document.querySelector("#messages button[title='Previous branch']").click()`)
	if got := b.value(lines + `[1]`); got != first {
		t.Errorf("the branch before has %q, want %q", got, first)
	}
	b.value(`document.querySelector("#messages li.user button[title='Edit this message']").click()`)
	b.value(`document.activeElement.value = ""`)
	b.types("Who are you?", "Enter")
	b.until(idle + ` && ` + lines + `[0] === "Who are you?"`)
	b.value(`document.getElementById("max_tokens").value = 100000`)
	b.value(`document.getElementById("message").focus()`)
	b.types("Tell me all.", "Enter")
	b.until(answered + ` === 2 && ` + lines + `[3].length > 5`)
	b.press("Escape")
	b.until(`document.getElementById("status").textContent === "Stopped"`)
	b.value(`document.getElementById("settings").dispatchEvent(new Event("change"))`)
	before := b.value(`JSON.stringify(` + lines + `)`)
	b.ask("Page.reload", nil, nil)
	b.until(`document.readyState === "complete" && ` + answered + ` === 2`)
	if after := b.value(`JSON.stringify(` + lines + `)`); after != before {
		t.Errorf("loaded anew it has %s, want %s", after, before)
	}
	b.until(`!document.getElementById("notes-body").hidden && document.querySelectorAll("#notes-layers details").length === 24`)
	if b.value(`document.querySelectorAll("#notes-text mark").length > 0`) != "true" {
		t.Error("no note is coloured in the text")
	}
	looks(t, b)
}

// looks checks that nothing is wider than the screen, light and dark, and on a phone.
func looks(t *testing.T, b *browser) {
	t.Helper()
	for _, view := range []struct {
		name, theme   string
		width, height int
	}{{"page-light", "light", 1200, 800}, {"page-dark", "dark", 1200, 800}, {"page-phone", "light", 390, 844}} {
		b.size(view.width, view.height)
		b.value(`(document.documentElement.dataset.theme = "` + view.theme + `")`)
		time.Sleep(100 * time.Millisecond)
		if got := b.value(`document.documentElement.scrollWidth <= innerWidth && document.body.scrollHeight <= innerHeight`); got != "true" {
			t.Errorf("%s: the page is larger than the screen", view.name)
		}
		if len(b.picture(view.name)) < 5000 {
			t.Errorf("%s: nothing is to be seen", view.name)
		}
	}
	if got := b.value(`[...document.querySelectorAll("button, input, select, textarea")].filter(e => !e.textContent.trim() && !e.labels?.length && !e.ariaLabel).length`); got != "0" {
		t.Errorf("%s fields have no name for a screen reader", got)
	}
	if got := b.value(`performance.getEntriesByType("resource").filter(e => !e.name.startsWith(location.origin)).length`); got != "0" {
		t.Errorf("%s requests go elsewhere", got)
	}
}
