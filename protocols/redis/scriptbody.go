package redis

import "bytes"

// An error of a script names its line: the one of the function that called
// redis.call. "return redis.call(…)" is a tail call, of which no caller is left
// when what it calls is a function of Lua, as ours is, and not one of C, as
// Redis's. In parentheses it is none: "return (redis.call(…))".

// luaToken is a name, a string, or one character, by its place in the text.
type luaToken struct{ from, to int }

// luaTokens splits Lua 5.1 as far as is needed to find names and brackets. What
// it does not understand ends it, ok being false.
func luaTokens(s []byte) (tokens []luaToken, ok bool) {
	for i := 0; i < len(s); {
		from := i
		switch c := s[i]; {
		case c == ' ' || c >= '\t' && c <= '\r':
			i++
			continue
		case bytes.HasPrefix(s[i:], []byte("--")):
			i += 2
			if n, long := longBracket(s[i:]); long && n < 0 {
				return nil, false
			} else if long {
				i += n
			} else if n := bytes.IndexByte(s[i:], '\n'); n >= 0 {
				i += n
			} else {
				i = len(s)
			}
			continue
		case c == '"' || c == '\'':
			for i++; i < len(s) && s[i] != c; i++ {
				if s[i] == '\\' {
					i++
				}
			}
			if i >= len(s) {
				return nil, false
			}
			i++
		case c == '[':
			n, long := longBracket(s[i:])
			if long && n < 0 {
				return nil, false
			}
			i += max(n, 1)
		case isLuaName(c):
			for i < len(s) && isLuaName(s[i]) {
				i++
			}
		default:
			i++
		}
		tokens = append(tokens, luaToken{from, i})
	}
	return tokens, true
}

// longBracket is the length of the [[text]] or [=[text]=] at s[0]: n is 0 and
// long false where there is none, and n -1 where it does not end.
func longBracket(s []byte) (n int, long bool) {
	level := 0
	if len(s) == 0 || s[0] != '[' {
		return 0, false
	}
	for 1+level < len(s) && s[1+level] == '=' {
		level++
	}
	if 1+level >= len(s) || s[1+level] != '[' {
		return 0, false
	}
	closing := append(append([]byte{']'}, bytes.Repeat([]byte{'='}, level)...), ']')
	end := bytes.Index(s, closing)
	if end < 0 {
		return -1, true
	}
	return end + len(closing), true
}

func isLuaName(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// luaText is a script in tokens.
type luaText struct {
	text   string
	tokens []luaToken
	// closing is, for each token that opens a bracket which is closed, the one
	// that does.
	closing map[int]int
}

func newLuaText(text []byte, tokens []luaToken) *luaText {
	l := &luaText{string(text), tokens, make(map[int]int)}
	var open []int
	for i := range tokens {
		switch l.at(i) {
		case "(", "[", "{":
			open = append(open, i)
		case ")", "]", "}":
			if last := len(open) - 1; last >= 0 {
				l.closing[open[last]] = i
				open = open[:last]
			}
		}
	}
	return l
}

// at is token i; empty outside of the text.
func (l *luaText) at(i int) string {
	if i < 0 || i >= len(l.tokens) {
		return ""
	}
	return l.text[l.tokens[i].from:l.tokens[i].to]
}

// namesServer says whether the text uses redis by its other name, of Valkey.
func (l *luaText) namesServer() bool {
	for i := range l.tokens {
		if l.at(i) == "server" && l.at(i+1) == "." {
			return true
		}
	}
	return false
}

// isCall says whether the tokens at i are redis.call.
func (l *luaText) isCall(i int) bool {
	return (l.at(i) == "redis" || l.at(i) == "server") && l.at(i+1) == "." && l.at(i+2) == "call" && l.at(i-1) != "." && l.at(i-1) != ":"
}

// aliases are the names that stand for redis.call in the whole text: declared
// once as that, and otherwise only called.
func (l *luaText) aliases() map[string]bool {
	declared := make(map[string]int)
	for i := range l.tokens {
		if l.at(i) == "local" && l.at(i+2) == "=" && l.isCall(i+3) && !continues(l.at(i+6)) {
			declared[l.at(i+1)] = i + 1
		}
	}
	names := make(map[string]bool)
	for name := range declared {
		names[name] = true
	}
	for i := range l.tokens {
		name := l.at(i)
		if at, is := declared[name]; is && i != at && (l.at(i+1) != "(" || l.at(i-1) == "function") && l.at(i-1) != "." {
			delete(names, name)
		}
	}
	return names
}

// continues says whether an expression goes on with the token.
func continues(token string) bool {
	switch token {
	case "", ";":
		return false
	case "and", "or":
		return true
	}
	return !isLuaName(token[0])
}

// ends says whether the token ends the block that a return is the last of.
func ends(token string) bool {
	switch token {
	case "", ";", "end", "else", "elseif", "until":
		return true
	}
	return false
}

// appendScriptBody appends the script, its tail calls of redis.call in
// parentheses.
func appendScriptBody(dst, text []byte) []byte {
	tokens, ok := luaTokens(text)
	if !ok {
		return append(dst, text...)
	}
	l := newLuaText(text, tokens)
	if l.namesServer() {
		dst = append(dst, "local server=rawget(_G,'server') and redis;"...)
	}
	aliases := l.aliases()
	from := 0
	for i := range tokens {
		if l.at(i) != "return" || tokens[i].from < from {
			continue
		}
		open := i + 2
		if l.isCall(i + 1) {
			open = i + 4
		} else if !aliases[l.at(i+1)] {
			continue
		}
		if l.at(open) != "(" {
			continue
		}
		end, closed := l.closing[open]
		if !closed || !ends(l.at(end+1)) {
			continue
		}
		dst = append(dst, text[from:tokens[i].to]...)
		dst = append(dst, '(')
		dst = append(dst, text[tokens[i].to:tokens[end].to]...)
		dst = append(dst, ')')
		from = tokens[end].to
	}
	return append(dst, text[from:]...)
}
