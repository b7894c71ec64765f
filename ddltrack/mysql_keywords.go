package ddltrack

import "strings"

// upper is a keyword in capitals. Keywords are ASCII; other letters are left
// alone, as the servers leave them.
func upper(w string) string {
	for i := range len(w) {
		if c := w[i]; c >= 'a' && c <= 'z' {
			return strings.Map(func(r rune) rune {
				if r >= 'a' && r <= 'z' {
					return r - 'a' + 'A'
				}
				return r
			}, w)
		}
	}
	return w
}
