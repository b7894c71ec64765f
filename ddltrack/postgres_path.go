package ddltrack

import "strings"

// SearchPath is the schemas of a search_path setting, without "$user" and
// pg_temp, which no other session shares.
func SearchPath(setting string) []string {
	var path []string
	l := lexer{sql: setting}
	name := ""
	add := func() {
		if name != "" && name != "$user" && name != "pg_temp" {
			path = append(path, name)
		}
		name = ""
	}
	for {
		k, start := l.next()
		token := setting[start:l.pos]
		switch {
		case k == end:
			add()
			return path
		case k == mark && token == ",":
			add()
		case k == text && token[0] == '"':
			name = strings.ReplaceAll(token[1:len(token)-1], `""`, `"`)
		case k == word:
			name = strings.ToLower(token)
		}
	}
}
