package config

import (
	"bytes"
	"encoding/json"
	"regexp"
)

// Plain makes JSON of what Python's json writes: Infinity, -Infinity and NaN become {"__float__": "Infinity"} and so on,
// as newer files of Hugging Face have them, and numbers such as 257.0, which are whole, lose their fraction. Other text
// stays as it is, broken or not.
func Plain(data []byte) []byte {
	var out []byte // nil as long as nothing changed
	done := 0
	replace := func(from, to int, with string) {
		out = append(append(out, data[done:from]...), with...)
		done = to
	}
	for i := 0; i < len(data); {
		switch c := data[i]; {
		case c == '"':
			i = stringEnd(data, i)
		case c == '-' || c >= '0' && c <= '9' || c == 'I' || c == 'N':
			end := i + 1
			for end < len(data) && isWord(data[end]) {
				end++
			}
			switch word := string(data[i:end]); word {
			case "Infinity", "-Infinity", "NaN":
				replace(i, end, `{"__float__":"`+word+`"}`)
			default:
				if m := wholeNumber.FindStringSubmatch(word); m != nil {
					replace(i, end, m[1])
				}
			}
			i = end
		default:
			i++
		}
	}
	if out == nil {
		return data
	}
	return append(out, data[done:]...)
}

var wholeNumber = regexp.MustCompile(`^(-?[0-9]+)\.0+$`)

// isWord tells the letters of numbers.
func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.' || c == '+' || c == '-'
}

// stringEnd is where the string ends that begins at a quote.
func stringEnd(data []byte, at int) int {
	for i := at + 1; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(data)
}

// Keys are an object's keys with their values as they are, for a file that is to be written again. Its errors are those
// of Decode.
func Keys(data []byte) (map[string]json.RawMessage, error) {
	var keys map[string]json.RawMessage
	err := Decode(data, &keys)
	if keys == nil {
		keys = map[string]json.RawMessage{}
	}
	return keys, err
}

// tagged is a number that JSON does not have, as Plain writes it.
var tagged = regexp.MustCompile(`\{\s*"__float__":\s*"(-?Infinity|NaN)"\s*\}`)

// Write writes an object as Python's json does: numbers that JSON does not have are words, which every release of
// Hugging Face's library reads.
func Write(keys map[string]json.RawMessage) ([]byte, error) {
	data, err := json.MarshalIndent(keys, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(tagged.ReplaceAll(bytes.TrimSpace(data), []byte("$1")), '\n'), nil
}

// pythons is the number that JSON does not have and that was read up to a byte, or nothing.
func pythons(data []byte, at int64) string {
	from := max(0, min(int(at)-1, len(data)))
	if m := tagged.FindSubmatchIndex(data[from:]); m != nil && m[0] == 0 {
		return string(data[from+m[2] : from+m[3]])
	}
	return ""
}
