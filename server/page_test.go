package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/server"
)

const pageBegins = "It was a bright cold day. The pass key is 71432. Remember it. 71432 is the pass key."

// Parts of the page.
const (
	whole   = `document.querySelector(".message.assistant") && !document.querySelector(".running")`
	texts   = `[...document.querySelectorAll(".message .text")].map((e) => e.textContent)`
	answers = `[...document.querySelectorAll(".message.assistant .text")].map((e) => e.textContent)`
	counts  = `[...document.querySelectorAll(".branch .count")].map((e) => e.textContent).join()`
	focused = `(document.activeElement.id || document.activeElement.dataset.place || document.activeElement.tagName)`
)

func quoted(text string) string { return string(mustJSON(text)) }

func mustJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // it is a text
	}
	return data
}

// click presses what a selector finds.
func (b *browser) click(selector string) {
	b.t.Helper()
	b.until(`!!document.querySelector(` + quoted(selector) + `)`)
	b.value(`document.querySelector(` + quoted(selector) + `).focus()`)
	b.value(`document.querySelector(` + quoted(selector) + `).click()`)
}

func named(name string) string { return `button[aria-label^="` + name + `"]:not(:disabled)` }

// configure sets numbers in the settings.
func (b *browser) configure(values map[string]string) {
	b.t.Helper()
	b.click("#settings-open")
	for id, text := range values {
		b.value(`document.getElementById("` + id + `").value = "` + text + `"`)
	}
	b.click("#settings-form .primary")
	b.until(`!document.getElementById("settings").open`)
	b.value(`document.getElementById("input").focus()`)
}

// says types a message and waits for the answer.
func (b *browser) says(text string) string {
	b.t.Helper()
	b.types(text, "Enter")
	b.until(whole + ` && ` + texts + `.at(-2) === ` + quoted(text))
	return b.value(answers + `.at(-1)`)
}

// want checks what an expression is.
func (b *browser) want(expression, want string) {
	b.t.Helper()
	if got := b.value(expression); got != want {
		b.t.Errorf("%.80s is %q, want %q", expression, got, want)
	}
}

// TestPage uses the page as a person does, by the keyboard where one would: an answer comes as the API gives it, is
// stopped, tried again, forked and walked; after a reload all of it is there, with the notes.
func TestPage(t *testing.T) {
	r := start(t, server.Options{})
	b := browse(t, r.url+"/")
	b.until(`document.activeElement?.id === "input" && document.getElementById("empty-model")?.textContent === "` + bundledName + `"`)
	b.configure(map[string]string{"temperature": "0", "max_tokens": "130"})
	first := b.says(pageBegins)
	api := r.ask("/v1/chat/completions", fields{"messages": []fields{{"role": "user", "content": pageBegins}}, "temperature": 0, "max_tokens": 130})
	if want := api.Choices[0].Message.Content; first != want {
		t.Errorf("the page shows %q, the API says %q", first, want)
	}
	b.want(focused, "input")
	b.notes(r.notes(fields{"messages": []fields{{"role": "user", "content": pageBegins}, {"role": "assistant", "content": first}}}))
	b.configure(map[string]string{"max_tokens": "20000", "temperature": "1"})
	b.types("And then <b>more</b>?", "Enter")
	b.until(answers + `[1]?.length > 5`)
	b.until(`document.querySelector(".running") && parseInt(/([\d,]+) windows/.exec(document.getElementById("notes-facts").textContent)?.[1]) > 6`) // while it comes
	b.press("Escape")
	b.until(whole)
	stopped := b.value(answers + `[1]`)
	b.want(`document.querySelectorAll(".message")[3].querySelector(".said").textContent`, "You stopped this answer.")
	b.want(`document.querySelectorAll(".text b").length + `+texts+`[2]`, "0And then <b>more</b>?")
	b.fork(stopped)
	b.types("half a thought", "Tab")
	b.until(`JSON.stringify(Object.values(localStorage)).includes("half a thought")`)
	before := b.value(`JSON.stringify(` + texts + `)`)
	b.ask("Page.reload", nil, nil)
	b.until(`document.readyState === "complete" && ` + texts + `.length > 0`)
	b.want(`JSON.stringify(`+texts+`)`, before)
	b.want(counts, "1 / 2,1 / 2")
	b.want(`document.getElementById("input").value`, "half a thought")
	b.until(`document.querySelectorAll(".text .note").length > 0`)
	b.want(`performance.getEntriesByType("resource").filter((e) => !e.name.startsWith(location.origin + "/")).length`, "0")
	b.chats(before)
}

// notes checks that the panel and the coloured text show what the API tells.
func (b *browser) notes(told notes) {
	b.t.Helper()
	places, coloured := map[int]bool{}, 0
	for _, layer := range told.Layers {
		for _, n := range layer.Notes {
			places[int(n.Position)] = true
		}
	}
	question := len("user: " + pageBegins)
	for at := range places { // roles stand around the messages
		if at >= len("user: ") && at < question || at >= question+len("\nassistant: ") {
			coloured++
		}
	}
	if len(places) == 0 || told.Windows < 3 {
		b.t.Errorf("%d notes in %d windows", len(places), told.Windows)
	}
	b.until(fmt.Sprintf(`document.getElementById("notes-facts").textContent.includes(" %d windows of 64") && document.querySelectorAll("#note-list li").length === %d &&
		document.querySelectorAll(".text .note").length === %d && document.getElementById("map").width > 50`, told.Windows, len(places), coloured))
	b.picture("page")
}

// fork tries an answer again and edits the message before it, and walks between the branches.
func (b *browser) fork(stopped string) {
	b.t.Helper()
	b.configure(map[string]string{"max_tokens": "12"})
	b.click(named("Try answer 4 again"))
	b.until(whole + ` && ` + counts + ` === "2 / 2"`)
	again := b.value(answers + `[1]`)
	if again == stopped {
		b.t.Errorf("another try is the same: %q", again)
	}
	b.click(named("Edit message 3"))
	b.want(focused, "2 text")
	b.value(`document.activeElement.value = "Another way"`)
	b.click(".message .row .primary")
	b.until(whole + ` && ` + counts + ` === "2 / 2" && ` + texts + `[2] === "Another way"`)
	b.click(named("Branch before"))
	b.until(counts + ` === "1 / 2,2 / 2" && ` + answers + `[1] === ` + quoted(again))
	b.want(focused, "input") // the button before the first branch cannot be used any more
	b.click(".message:last-child " + named("Branch before"))
	b.until(counts + ` === "1 / 2,1 / 2" && ` + answers + `[1] === ` + quoted(stopped))
	b.value(`document.getElementById("input").focus()`)
}

// chats begins another conversation, goes back, deletes and brings back.
func (b *browser) chats(before string) {
	b.t.Helper()
	b.click("#new")
	b.until(texts + `.length === 0`)
	b.says("A second one.")
	b.want(`document.querySelectorAll("#chat-list li").length`, "2")
	b.click("#chat-list li:last-child .open")
	b.until(`JSON.stringify(` + texts + `) === ` + quoted(before))
	b.click("#chat-list li.here .drop")
	b.until(texts + `[0] === "A second one."`)
	b.want(focused, "toast-undo")
	b.press("Enter")
	b.until(`JSON.stringify(` + texts + `) === ` + quoted(before))
}

// TestPageKeyAndErrors: the page asks for a key, tells of a wrong one, and keeps the right one for the tab alone. What goes wrong is
// told in words, stays with the message, and can be tried again.
func TestPageKeyAndErrors(t *testing.T) {
	r := start(t, server.Options{Keys: []string{"open sesame"}, MaxContext: 100})
	b := browse(t, r.url+"/")
	b.meant = []string{"401", "400"}
	b.until(`document.getElementById("key")?.open`)
	b.types("guessed", "Enter")
	b.until(`document.getElementById("key").open && !document.getElementById("key-wrong").hidden`)
	b.types("open sesame", "Enter")
	b.until(`!document.getElementById("key").open && document.getElementById("empty-model")?.textContent === "` + bundledName + `"`)
	b.configure(map[string]string{"max_tokens": "5"})
	if answer := b.says("Who goes there?"); answer == "" {
		t.Error("there is no answer")
	}
	b.want(`[localStorage, sessionStorage].map((s) => JSON.stringify(s).includes("sesame")).join()`, "false,true")
	b.says(strings.TrimSpace(strings.Repeat("far too long ", 12)))
	b.until(`document.querySelector(".message .wrong")?.textContent.includes("too long")`)
	b.ask("Page.reload", nil, nil)
	b.until(`document.readyState === "complete" && !!document.querySelector(".message .wrong")`)
	b.value(`window.fetch = () => Promise.reject(new TypeError("no network"))`)
	b.click(named("Try answer 4 again"))
	b.until(counts + ` === "2 / 2" && document.querySelector(".message .wrong")?.textContent.includes("cannot be reached")`)
}

// TestPageLooks: at the width of a phone nothing stands out at the side, every control has a name and a place for the keyboard
// that can be seen, and text stands out from its ground, in light and dark.
func TestPageLooks(t *testing.T) {
	r := start(t, server.Options{})
	b := browse(t, r.url+"/")
	b.size(360, 740)
	b.until(`document.getElementById("empty-model")?.textContent === "` + bundledName + `"`)
	b.configure(map[string]string{"max_tokens": "150", "seed": "1"})
	b.says(pageBegins)
	b.until(`document.querySelectorAll(".text .note").length > 0`)
	for _, look := range []string{"light", "dark"} {
		b.ask("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": look}}}, nil)
		b.fits("page-phone-" + look)
		b.want(faint, "")
	}
	for _, id := range []string{"chats-open", "notes-open", "settings-open"} {
		b.click("#" + id)
		b.fits("page-phone-" + id)
		b.want(faint, "")
		b.press("Escape")
		b.want(focused, id)
	}
	seen := map[string]bool{}
	for range 30 {
		b.press("Tab")
		at := b.value(focused)
		if seen[at] = true; at != "BODY" && b.value(`getComputedStyle(document.activeElement).outlineWidth`) != "3px" {
			t.Errorf("the focus cannot be seen at %s", at)
		}
	}
	for _, want := range []string{"input", "send", "title", "settings-open", "notes-open", "chats-open", "0 edit", "1 retry"} {
		if !seen[want] {
			t.Errorf("the keyboard does not come to %s: %v", want, seen)
		}
	}
}

// fits checks that nothing is wider than the window.
func (b *browser) fits(name string) {
	b.t.Helper()
	b.want(`Math.max(document.documentElement.scrollWidth, document.getElementById("scroll").scrollWidth) <= innerWidth`, "true")
	if len(b.picture(name)) < 5000 {
		b.t.Errorf("%s: nothing is to be seen", name)
	}
}

// faint lists texts that do not stand out from their ground by 4.5 to 1, and controls without a name.
const faint = `(() => {
	const g = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
	const rgb = (colours) => {
		g.clearRect(0, 0, 1, 1);
		for (const c of colours) { g.fillStyle = c; g.fillRect(0, 0, 1, 1); }
		return [...g.getImageData(0, 0, 1, 1).data].slice(0, 3);
	};
	const light = (c) => c.map((v) => v / 255).map((v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [.2126, .7152, .0722][i], 0);
	const wrong = [];
	for (const e of document.querySelectorAll("body *")) {
		if (!e.checkVisibility({visibilityProperty: true}) || !e.getClientRects().length || e.disabled) continue;
		if (e.matches("button, input, select, textarea") && !(e.labels?.length || e.ariaLabel || e.textContent.trim())) wrong.push("no name: " + e.outerHTML);
		if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
		const grounds = [];
		for (let a = e; a; a = a.parentElement) grounds.unshift(getComputedStyle(a).backgroundColor);
		const a = light(rgb(grounds)), b = light(rgb([...grounds, getComputedStyle(e).color]));
		const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		if (ratio < 4.5) wrong.push(ratio.toFixed(2) + " to 1: " + e.outerHTML.slice(0, 80));
	}
	return wrong.join("; ");
})()`
