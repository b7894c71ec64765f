package schema

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	mostTypeLength = 4096
	mostTypeArgs   = 2
)

// Type is the type of a column.
type Type struct {
	Name      string // canonical: "int", "varchar", "timestamptz"; of a type we do not know, as written
	Args      []int  // "(10,2)"
	Values    []string
	Unsigned  bool
	Increment bool // counts by itself, as serial and AUTO_INCREMENT do
	Arrays    int  // dimensions
}

// aliases are the names that mean another.
func aliases() map[string]string {
	return map[string]string{
		"integer": "int", "int4": "int", "int8": "bigint", "int2": "smallint",
		"serial4": "serial", "serial8": "bigserial", "serial2": "smallserial",
		"bool": "boolean", "decimal": "numeric", "dec": "numeric", "fixed": "numeric",
		"float8": "double", "double precision": "double", "float4": "real",
		"character varying": "varchar", "character": "char", "bpchar": "char", "bit varying": "varbit",
		"timestamp without time zone": "timestamp", "timestamp with time zone": "timestamptz",
		"time without time zone": "time", "time with time zone": "timetz",
	}
}

// counters are the types that count by themselves.
func counters() map[string]string {
	return map[string]string{"smallserial": "smallint", "serial": "int", "bigserial": "bigint"}
}

// furtherWords are those that may follow a type's first one.
func furtherWords() []string {
	return []string{"precision", "varying", "with", "without", "time", "zone", "unsigned", "signed", "zerofill", "auto_increment"}
}

// ParseType reads a type: words, numbers or quoted values in parentheses, more
// words of a closed list, brackets. Nothing else gets through, so that a type
// can't bring a constraint or end its column.
func ParseType(text string) (Type, error) {
	if len(text) > mostTypeLength {
		return Type{}, fmt.Errorf("is longer than %d bytes", mostTypeLength)
	}
	l := typeLexer{rest: strings.TrimSpace(text)}
	name, quoted, err := l.name()
	if err != nil {
		return Type{}, err
	}
	t := Type{}
	words := []string{name}
	for !quoted {
		word, ok := l.word()
		if !ok {
			if !l.starts("(") {
				break
			}
			if err := l.arguments(&t); err != nil {
				return Type{}, err
			}
			continue
		}
		word = strings.ToLower(word)
		if !slices.Contains(furtherWords(), word) {
			return Type{}, fmt.Errorf("has the word %.40q, which is no part of a type", word)
		}
		switch word {
		case "unsigned":
			t.Unsigned = true
		case "auto_increment":
			t.Increment = true
		case "signed", "zerofill":
		default:
			words = append(words, word)
		}
	}
	if quoted && l.starts("(") {
		if err := l.arguments(&t); err != nil {
			return Type{}, err
		}
	}
	for l.starts("[") {
		l.rest = strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(l.rest[1:]), "0123456789"))
		if !l.starts("]") {
			return Type{}, errors.New("has a bracket that is not closed")
		}
		l.rest = strings.TrimSpace(l.rest[1:])
		t.Arrays++
	}
	if l.rest != "" {
		return Type{}, fmt.Errorf("has %.40q, which is no part of a type", l.rest)
	}
	return t.named(strings.Join(words, " "), quoted)
}

// named settles the type's name.
func (t Type) named(name string, quoted bool) (Type, error) {
	t.Name = name
	if quoted {
		return t, nil
	}
	lower := strings.ToLower(name)
	if !strings.Contains(name, ".") {
		t.Name = lower
	}
	if strings.Contains(lower, " ") && aliases()[lower] == "" {
		return Type{}, fmt.Errorf("%.60q is no type", name)
	}
	if of, ok := aliases()[lower]; ok {
		t.Name = of
	}
	if of, ok := counters()[t.Name]; ok {
		t.Name, t.Increment = of, true
	}
	if t.Name == "tinyint" && slices.Equal(t.Args, []int{1}) && !t.Unsigned && !t.Increment {
		t.Name, t.Args = "boolean", nil
	}
	isList := t.Name == "enum" || t.Name == "set"
	if isList != (len(t.Values) > 0) {
		return Type{}, errors.New("must be like enum('a','b') where it lists values")
	}
	return t, nil
}

// typeLexer takes a type's text apart.
type typeLexer struct{ rest string }

func (l *typeLexer) starts(s string) bool { return strings.HasPrefix(l.rest, s) }

// word takes a plain word and the space behind it.
func (l *typeLexer) word() (string, bool) {
	n := 0
	for n < len(l.rest) && isWord(l.rest[n], n == 0) {
		n++
	}
	word := l.rest[:n]
	l.rest = strings.TrimSpace(l.rest[n:])
	return word, n > 0
}

func isWord(c byte, first bool) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || !first && c >= '0' && c <= '9'
}

// name takes the first word: perhaps quoted, perhaps behind the name of its
// schema.
func (l *typeLexer) name() (name string, quoted bool, err error) {
	for {
		part := ""
		if l.starts(`"`) {
			end := strings.IndexByte(l.rest[1:], '"')
			if end < 1 || strings.HasPrefix(l.rest[end+2:], `"`) || strings.ContainsRune(l.rest[:end+1], 0) {
				return "", false, errors.New("has a quoted name that is not one")
			}
			part, quoted = l.rest[:end+2], true
			l.rest = strings.TrimSpace(l.rest[end+2:])
		} else if word, ok := l.word(); ok {
			part = word
		} else {
			return "", false, errors.New("must begin with the name of a type, such as VARCHAR(255)")
		}
		name += part
		if !l.starts(".") {
			return name, quoted, nil
		}
		name += "."
		l.rest = l.rest[1:]
	}
}

// arguments takes what is in parentheses: numbers, or quoted values.
func (l *typeLexer) arguments(t *Type) error {
	if len(t.Args)+len(t.Values) > 0 {
		return errors.New("has parentheses twice")
	}
	for {
		l.rest = strings.TrimSpace(l.rest[1:])
		if l.starts("'") {
			v, rest, ok := cutString(l.rest)
			if !ok || strings.ContainsAny(v, "\\\x00") {
				return errors.New("has a quoted value that is not one")
			}
			t.Values, l.rest = append(t.Values, v), strings.TrimSpace(rest)
		} else {
			digits := len(l.rest) - len(strings.TrimLeft(l.rest, "0123456789"))
			n, err := strconv.Atoi(l.rest[:digits])
			if err != nil || n > 1<<30 || len(t.Args) == mostTypeArgs {
				return errors.New("takes up to two numbers in parentheses, such as NUMERIC(10,2)")
			}
			t.Args, l.rest = append(t.Args, n), strings.TrimSpace(l.rest[digits:])
		}
		if l.starts(")") {
			l.rest = strings.TrimSpace(l.rest[1:])
			if len(t.Args) > 0 && len(t.Values) > 0 {
				return errors.New("mixes numbers and quoted values in parentheses")
			}
			return nil
		}
		if !l.starts(",") {
			return errors.New("has parentheses that are not closed")
		}
	}
}

// cutString takes a string in single quotes off the front of text.
func cutString(text string) (content, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		if text[i] != '\'' {
			b.WriteByte(text[i])
			continue
		}
		if i+1 < len(text) && text[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		return b.String(), text[i+1:], true
	}
	return "", "", false
}

// args writes the type's numbers, or none.
func (t Type) args(otherwise ...int) string {
	all := t.Args
	if len(all) == 0 {
		all = otherwise
	}
	if len(all) == 0 {
		return ""
	}
	texts := make([]string, len(all))
	for i, n := range all {
		texts[i] = strconv.Itoa(n)
	}
	return "(" + strings.Join(texts, ",") + ")"
}
