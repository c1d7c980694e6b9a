package chat

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// upperRune is a character in upper case, which may be several: "SS" for "ß".
func upperRune(c rune) string {
	if c < utf8.RuneSelf {
		return string(unicode.ToUpper(c))
	}
	return cases.Upper(language.Und).String(string(c))
}

// headRune is a character as it begins a title: "Ss" for "ß".
func headRune(c rune) string {
	if c < utf8.RuneSelf {
		return string(unicode.ToUpper(c))
	}
	return cases.Title(language.Und, cases.NoLower).String(string(c))
}

// lowerRune is a character in lower case, which may be several: "i̇" for "İ".
func lowerRune(c rune) string {
	if c == 'İ' {
		return "i\u0307"
	}
	return string(unicode.ToLower(c))
}
