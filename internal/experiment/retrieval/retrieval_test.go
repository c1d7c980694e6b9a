package retrieval

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// bytesOf encodes a text as its bytes.
func bytesOf(text string) ([]int32, error) {
	ids := make([]int32, len(text))
	for i := range len(text) {
		ids[i] = int32(text[i])
	}
	return ids, nil
}

func textOf(ids []int32) string {
	data := make([]byte, len(ids))
	for i, id := range ids {
		data[i] = byte(id)
	}
	return string(data)
}

func TestPasskey(t *testing.T) {
	task, err := NewPasskey(bytesOf, nil)
	if err != nil {
		t.Fatal(err)
	}
	endless := strings.Repeat(passkeyFiller, 30)
	for _, length := range []int{97, 98, 187, 1000, 2001} {
		prompts, err := task.Prompts(7, length, 5, 2)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range prompts {
			text := textOf(p.Tokens)
			needle := " The pass key is " + p.Answer + ". Remember it. " + p.Answer + " is the pass key."
			at := strings.Index(text, needle)
			filler, asked := strings.CutSuffix(strings.Replace(text, needle, "", 1), " What is the pass key? The pass key is")
			if len(p.Tokens) != length || at < 0 || !asked || !strings.Contains(endless, filler) {
				t.Errorf("length %d, depth %d: %q", length, i, text)
			}
			if want := math.Floor((float64(i)+0.5)/5*float64(length-97) + 0.5); float64(at) != want {
				t.Errorf("length %d, depth %d: the key is at %d, want %v", length, i, at, want)
			}
			if ok, _ := regexp.MatchString("^[1-9][0-9]{4}$", p.Answer); !ok {
				t.Errorf("key %q", p.Answer)
			}
		}
	}
	if _, err := task.Prompts(7, 96, 1, 0); err == nil || err.Error() != "length 96 is below the task's 97 tokens" {
		t.Errorf("got %v", err)
	}
}

// TestPasskeyIsItsPlace: a prompt does not depend on what else is run, and differs from others.
func TestPasskeyIsItsPlace(t *testing.T) {
	task, err := NewPasskey(bytesOf, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	fillers := map[int32]bool{}
	for trial := range 40 {
		one, err := task.Prompts(1, 300, 3, trial)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := task.Prompts(1, 300, 3, trial)
		for i := range one {
			if one[i].Answer != again[i].Answer || !slices.Equal(one[i].Tokens, again[i].Tokens) {
				t.Errorf("trial %d, depth %d differs from itself", trial, i)
			}
			seen[one[i].Answer] = true
		}
		fillers[one[0].Tokens[0]] = true
		if n := Shared(one); n < 34 || n > 34+12 { // 0.5/3 of 203 tokens, and what the key's sentence shares with the filler
			t.Errorf("the prompts of a trial share %d tokens", n)
		}
	}
	if other, _ := task.Prompts(2, 300, 3, 0); seen[other[0].Answer] {
		t.Error("another seed has the same key")
	}
	if len(seen) < 119 || len(fillers) < 10 {
		t.Errorf("%d keys and %d beginnings in 120 prompts", len(seen), len(fillers))
	}
}

func TestPasskeyInABook(t *testing.T) {
	book, _ := bytesOf("abcdefghij")
	task, err := NewPasskey(bytesOf, book)
	if err != nil {
		t.Fatal(err)
	}
	prompts, err := task.Prompts(1, 97+25, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	text := textOf(prompts[0].Tokens)
	head, _, _ := strings.Cut(text, " The pass key")
	if len(head) != 13 || !strings.Contains(strings.Repeat("abcdefghij", 3), head) {
		t.Errorf("%q", text)
	}
	if _, err := NewPasskey(bytesOf, []int32{}); err == nil {
		t.Error("an empty filler is taken")
	}
}

func TestDocuments(t *testing.T) {
	task := NewDocuments(bytesOf)
	fact := regexp.MustCompile(`The code of (\w+) is (\d{5})\.`)
	asked := map[int]int{}
	for trial := range 60 {
		p, err := task.Prompt(3, 6, trial)
		if err != nil {
			t.Fatal(err)
		}
		text := textOf(p.Tokens)
		at := strings.LastIndex(text, "\n\nWhat is the code of ")
		place, _, _ := strings.Cut(text[at+len("\n\nWhat is the code of "):], "?")
		if !strings.HasSuffix(text, "? The code of "+place+" is") {
			t.Fatalf("%q", text)
		}
		codes := map[string]string{}
		for i, m := range fact.FindAllStringSubmatch(text[:at], -1) {
			codes[m[1]] = m[2]
			if m[1] == place {
				asked[i]++
			}
		}
		if len(codes) != 6 || codes[place] != p.Answer || len(p.Others) != 5 || slices.Contains(p.Others, p.Answer) {
			t.Fatalf("%v, asked for %s: %s of %v", codes, place, p.Answer, p.Others)
		}
		if again, _ := task.Prompt(3, 6, trial); !slices.Equal(again.Tokens, p.Tokens) {
			t.Error("a prompt differs from itself")
		}
	}
	if len(asked) != 6 {
		t.Errorf("documents asked for: %v", asked)
	}
	for _, count := range []int{0, MostDocuments + 1} {
		if _, err := task.Prompt(3, count, 0); err == nil {
			t.Errorf("%d documents are taken", count)
		}
	}
	if _, err := task.Prompt(3, MostDocuments, 0); err != nil {
		t.Error(err)
	}
}

func TestRight(t *testing.T) {
	for _, test := range []struct {
		text          string
		enough, right bool
	}{
		{" 48215", true, true}, {"48215.", true, true}, {"\n 4821", false, false}, {" 48216", true, false}, {"", false, false}, {" key 48215", true, false},
	} {
		if Enough(test.text) != test.enough || Right(test.text, "48215") != test.right {
			t.Errorf("%q: enough %v, right %v", test.text, Enough(test.text), Right(test.text, "48215"))
		}
	}
}

func TestShared(t *testing.T) {
	prompt := func(text string) Prompt { ids, _ := bytesOf(text); return Prompt{Tokens: ids} }
	for want, texts := range map[int][]string{3: {"abc"}, 2: {"abx", "aby", "abcd"}, 0: {"x", "y"}, 1: {"ab", "a"}} {
		var prompts []Prompt
		for _, text := range texts {
			prompts = append(prompts, prompt(text))
		}
		if got := Shared(prompts); got != want {
			t.Error(fmt.Sprint(texts), got, want)
		}
	}
}
