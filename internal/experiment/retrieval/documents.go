package retrieval

import (
	"fmt"
	"math/rand/v2"

	"github.com/mmrun/mmrun/internal/experiment/corpus"
)

// The texts of the document task, each encoded by itself: a document tells the code of its place,
// among sentences that are of no use.
const (
	documentHead     = "\n\nDocument %d: %s."
	documentFact     = " The code of %s is %s."
	documentQuestion = "\n\nWhat is the code of %[1]s? The code of %[1]s is"
	documentNoise    = 4 // sentences beside the fact
)

// Names of places are a beginning and an end.
var (
	placeStarts = []string{"Alder", "Birch", "Crow", "Deep", "Elm", "Fair", "Grey", "Hazel", "Iron", "King", "Long", "Marsh", "North", "Oak", "Pine", "Raven", "Stone", "Thorn", "West", "Wolf"}
	placeEnds   = []string{"bridge", "brook", "bury", "dale", "field", "ford", "gate", "ham", "haven", "hill", "holm", "mere", "minster", "moor", "mouth", "port", "stead", "ton", "well", "wick"}
	noise       = []string{
		" The market opens early and closes at noon.", " Most houses there are built of grey stone.", " In spring the river rises over the meadows.",
		" An old road leads from the church to the mill.", " Travellers praise the bread and complain of the wind.", " The bell was cast a hundred years ago.",
		" Nobody remembers who planted the orchard.", " Sheep graze on the slopes above the town.", " The school has two rooms and a small garden.",
		" Every autumn there is a fair by the water.", " The inn keeps a fire burning all winter.", " Boats from the coast bring salt and cloth.",
	}
)

// MostDocuments is how many documents a prompt can have: places whose names differ.
var MostDocuments = len(placeStarts) * len(placeEnds)

// Documents is the task of answering a question that one of many documents answers.
type Documents struct{ encode corpus.Encoder }

// NewDocuments prepares the task for a tokenizer.
func NewDocuments(encode corpus.Encoder) *Documents { return &Documents{encode} }

// Prompt returns a trial's prompt of count documents, which ends with a question about one of them.
// The codes of a prompt differ.
func (d *Documents) Prompt(seed uint64, count, trial int) (Prompt, error) {
	if count < 1 || count > MostDocuments {
		return Prompt{}, fmt.Errorf("%d documents are not within 1 to %d", count, MostDocuments)
	}
	rng := chance(seed, "documents", count, trial)
	places := placeNames(rng, count)
	codes, asked := keys(rng, count), rng.IntN(count)
	var text []string
	for i, place := range places {
		text = append(text, document(rng, i+1, place, codes[i])...)
	}
	text = append(text, fmt.Sprintf(documentQuestion, places[asked]))
	p := Prompt{Answer: codes[asked], Others: append(codes[:asked:asked], codes[asked+1:]...)}
	for _, part := range text {
		ids, err := d.encode(part)
		if err != nil {
			return Prompt{}, err
		}
		p.Tokens = append(p.Tokens, ids...)
	}
	return p, nil
}

// keys draws n keys that differ.
func keys(rng *rand.Rand, n int) []string {
	var drawn []string
	seen := map[string]bool{}
	for len(drawn) < n {
		if k := key(rng); !seen[k] {
			seen[k] = true
			drawn = append(drawn, k)
		}
	}
	return drawn
}

// document is the texts of one document: its head, and the fact among sentences of noise.
func document(rng *rand.Rand, number int, place, code string) []string {
	parts := []string{fmt.Sprintf(documentHead, number, place)}
	for _, i := range rng.Perm(len(noise))[:documentNoise] {
		parts = append(parts, noise[i])
	}
	at := 1 + rng.IntN(documentNoise+1)
	fact := fmt.Sprintf(documentFact, place, code)
	return append(parts[:at], append([]string{fact}, parts[at:]...)...)
}
