package relay

import "bytes"

// ContainsFold says whether text has the word, of ASCII letters, in any case,
// be it within another word or a quote.
func ContainsFold(text []byte, word string) bool {
	for i := range len(text) - len(word) + 1 {
		if text[i]|0x20 == word[0]|0x20 && bytes.EqualFold(text[i:i+len(word)], []byte(word)) {
			return true
		}
	}
	return false
}
