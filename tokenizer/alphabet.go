package tokenizer

import "strings"

// Byte-level vocabularies write bytes as printable characters: a printable byte of Latin-1 stands
// for itself, the others take the characters from U+0100 on, in order (so a space is "Ġ").
var (
	charOf [256]rune
	byteOf = map[rune]byte{}
)

func init() {
	next := rune(0x100)
	for b := range 256 {
		c := rune(b)
		if !('!' <= c && c <= '~' || '¡' <= c && c <= '¬' || '®' <= c) {
			c = next
			next++
		}
		charOf[b] = c
		byteOf[c] = byte(b)
	}
}

// toAlphabet writes every byte of s as its character.
func toAlphabet(s string) string {
	var out strings.Builder
	out.Grow(len(s))
	for i := range len(s) {
		out.WriteRune(charOf[s[i]])
	}
	return out.String()
}

// fromAlphabet is the inverse of toAlphabet; false when a character of s stands for no byte.
func fromAlphabet(s string) (string, bool) {
	out := make([]byte, 0, len(s))
	for _, c := range s {
		b, ok := byteOf[c]
		if !ok {
			return "", false
		}
		out = append(out, b)
	}
	return string(out), true
}
