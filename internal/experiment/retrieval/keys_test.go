package retrieval

import (
	"slices"
	"strings"
	"testing"
)

// TestKeys: every prompt has its length, tells every key twice within its sentence, and ends with the question about
// a name whose last key is the answer.
func TestKeys(t *testing.T) {
	encode := func(text string) ([]int32, error) {
		var ids []int32
		for _, b := range []byte(text) {
			ids = append(ids, int32(b))
		}
		return ids, nil
	}
	task, err := NewKeys(encode, nil, 3)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for trial := range 20 {
		for i, kind := range KeyKinds {
			p, err := task.Prompt(7, kind, 900, trial)
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			for _, id := range p.Tokens {
				text.WriteByte(byte(id))
			}
			all := text.String()
			_, name, _ := strings.Cut(all, "What is the pass key of ")
			name, _, _ = strings.Cut(name, "?")
			before, _, _ := strings.Cut(all[strings.LastIndex(all, "Remember it. "+p.Answer):], " is the pass key of "+name+".")
			if len(p.Tokens) != 900 || before != "Remember it. "+p.Answer || !strings.HasSuffix(all, "The pass key of "+name+" is") {
				t.Fatalf("%s: %q: %s", kind, p.Answer, all)
			}
			needles := []int{1, 3, 4}[i]
			if n := strings.Count(all, "Remember it."); n != needles || len(p.Others) != needles-1 || slices.Contains(p.Others, p.Answer) {
				t.Errorf("%s: %d sentences, others %v of %s", kind, n, p.Others, p.Answer)
			}
			for _, key := range append(p.Others, p.Answer) {
				if strings.Count(all, key) < 2 {
					t.Errorf("%s: %s is not told: %s", kind, key, all)
				}
			}
			at := strings.LastIndex(all, " The pass key of "+name+" is "+p.Answer)
			for _, other := range p.Others { // the answer is what was told last of the name
				if strings.LastIndex(all, " The pass key of "+name+" is "+other) > at {
					t.Errorf("%s: %s was told after %s", kind, other, p.Answer)
				}
			}
			seen[all] = true
		}
	}
	if len(seen) != 60 {
		t.Errorf("%d of 60 prompts differ", len(seen))
	}
	again, err := task.Prompt(7, "several", 900, 3)
	if other, err2 := task.Prompt(7, "several", 900, 3); err != nil || err2 != nil || !slices.Equal(again.Tokens, other.Tokens) {
		t.Error("the same place makes another prompt")
	}
	if _, err := task.Prompt(1, "several", 200, 0); err == nil {
		t.Error("200 tokens were enough")
	}
	if _, err := task.Prompt(1, "many", 900, 0); err == nil {
		t.Error("an unknown kind was taken")
	}
	if _, err := NewKeys(encode, nil, 1); err == nil {
		t.Error("one key was taken for several")
	}
}
