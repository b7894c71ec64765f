package postgres

import "strings"

// maxArrayDepth is PostgreSQL's own bound (MAXDIM).
const maxArrayDepth = 6

// decodeArray turns an array's text form into slices; text that is none stays
// as it is. Bounds other than 1 are dropped: JSON has no place for them.
func decodeArray(text string, of decoder) any {
	literal := text
	if strings.HasPrefix(literal, "[") {
		_, literal, _ = strings.Cut(literal, "=")
	}
	p := arrayParser{rest: literal, of: of}
	values, ok := p.array(0)
	if !ok || p.rest != "" {
		return text
	}
	return values
}

type arrayParser struct {
	rest string
	of   decoder
}

// array reads "{…}".
func (p *arrayParser) array(depth int) ([]any, bool) {
	if depth == maxArrayDepth || !p.accept('{') {
		return nil, false
	}
	values := []any{}
	if p.accept('}') {
		return values, true
	}
	for {
		value, ok := p.element(depth)
		if !ok {
			return nil, false
		}
		values = append(values, value)
		if p.accept('}') {
			return values, true
		}
		if !p.accept(',') {
			return nil, false
		}
	}
}

func (p *arrayParser) element(depth int) (any, bool) {
	switch {
	case strings.HasPrefix(p.rest, "{"):
		return p.array(depth + 1)
	case p.accept('"'):
		text, ok := p.quoted()
		return p.of(text), ok
	}
	end := strings.IndexAny(p.rest, ",}")
	if end <= 0 {
		return nil, false
	}
	text := p.rest[:end]
	p.rest = p.rest[end:]
	if text == "NULL" {
		return nil, true
	}
	return p.of(text), true
}

// quoted reads up to the closing quote; a backslash takes the next byte as is.
func (p *arrayParser) quoted() (string, bool) {
	var b strings.Builder
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; c {
		case '"':
			p.rest = p.rest[i+1:]
			return b.String(), true
		case '\\':
			i++
			if i == len(p.rest) {
				return "", false
			}
			b.WriteByte(p.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

func (p *arrayParser) accept(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}
