package redis

// match says whether s matches pattern as Redis matches keys and channels:
// '*', '?', '[a-c]', '[^a]', and '\' before a character that means itself. It
// takes time in the product of the lengths at most.
func match(pattern, s []byte) bool {
	if len(s) == 0 {
		return len(pattern) == 0 // not even "*", as in Redis
	}
	p, i := 0, 0
	star, from := -1, 0 // the pattern after the last '*', and what it has left to match
	for i < len(s) {
		if p < len(pattern) && pattern[p] == '*' {
			for p < len(pattern) && pattern[p] == '*' {
				p++
			}
			if p == len(pattern) {
				return true
			}
			star, from = p, i
			continue
		}
		if next, ok := matchOne(pattern, p, s[i]); ok {
			p = next
			i++
			continue
		}
		if star < 0 {
			return false
		}
		from++
		p, i = star, from
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// matchOne matches c with the one character that pattern has at p, and gives
// the place after it.
func matchOne(pattern []byte, p int, c byte) (next int, ok bool) {
	if p == len(pattern) {
		return p, false
	}
	switch pattern[p] {
	case '?':
		return p + 1, true
	case '[':
		return matchClass(pattern, p+1, c)
	case '\\':
		if p+1 < len(pattern) {
			p++
		}
	}
	return p + 1, pattern[p] == c
}

// matchClass matches c with the class whose first character is at p. A class
// that is not closed ends with the pattern. Redis compares the ends of a range
// as signed characters.
func matchClass(pattern []byte, p int, c byte) (next int, ok bool) {
	negated := p < len(pattern) && pattern[p] == '^'
	if negated {
		p++
	}
	found := false
	for p < len(pattern) && pattern[p] != ']' {
		switch {
		case pattern[p] == '\\' && p+1 < len(pattern):
			p++
			found = found || pattern[p] == c
		case p+2 < len(pattern) && pattern[p+1] == '-':
			low, high := int8(pattern[p]), int8(pattern[p+2])
			if low > high {
				low, high = high, low
			}
			found = found || int8(c) >= low && int8(c) <= high
			p += 2
		default:
			found = found || pattern[p] == c
		}
		p++
	}
	if p < len(pattern) {
		p++ // the ']'
	}
	return p, found != negated
}

// literalPrefix is the length of pattern before its first special character.
func literalPrefix(pattern string) int {
	for i, c := range []byte(pattern) {
		switch c {
		case '*', '?', '[', '\\':
			return i
		}
	}
	return len(pattern)
}
