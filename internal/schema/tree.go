package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

const (
	mostValues = 200_000 // of a document, so that a small text is no large tree
	mostDepth  = 64
)

// kind is the type of a JSON value, as an error names it.
type kind string

const (
	isObject kind = "an object"
	isArray  kind = "an array"
	isString kind = "a string"
	isNumber kind = "a number"
	isBool   kind = "a boolean"
	isNull   kind = "null"
)

// value is a JSON value. The members of an object keep their order, which means
// something in an index's keys and in a validator.
type value struct {
	kind    kind
	text    string // of a string, a number or a boolean
	members []member
	items   []value
	raw     json.RawMessage // the value as it was written; a part of the document
}

type member struct {
	name string
	value
}

// get is the member of that name; false where there is none.
func (v value) get(name string) (value, bool) {
	for _, m := range v.members {
		if m.name == name {
			return m.value, true
		}
	}
	return value{}, false
}

// parser reads one document.
type parser struct {
	data   []byte
	tokens *json.Decoder
	values int
	depth  int
}

// parse reads a whole JSON document, in which no object has a name twice.
func parse(data []byte) (value, error) {
	if !utf8.Valid(data) {
		return value{}, &FieldError{Problem: "malformed JSON: not valid UTF-8"}
	}
	p := parser{data: data, tokens: json.NewDecoder(bytes.NewReader(data))}
	p.tokens.UseNumber()
	v, err := p.value()
	if err == nil {
		_, err = p.tokens.Token()
		if errors.Is(err, io.EOF) {
			return v, nil
		}
		if err == nil {
			err = errors.New("something follows the first value")
		}
	}
	if field, ok := errors.AsType[*FieldError](err); ok {
		return value{}, field
	}
	return value{}, &FieldError{Problem: fmt.Sprintf("malformed JSON: %v", err)}
}

func (p *parser) value() (value, error) {
	if p.values++; p.values > mostValues {
		return value{}, &FieldError{Problem: fmt.Sprintf("the JSON holds more than %d values", mostValues)}
	}
	start := p.tokens.InputOffset()
	token, err := p.tokens.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return value{}, err
	}
	var v value
	switch token := token.(type) {
	case json.Delim:
		if v, err = p.compound(token); err != nil {
			return value{}, err
		}
	case string:
		v = value{kind: isString, text: token}
	case json.Number:
		v = value{kind: isNumber, text: token.String()}
	case bool:
		v = value{kind: isBool, text: fmt.Sprint(token)}
	default:
		v = value{kind: isNull}
	}
	v.raw = bytes.TrimLeft(p.data[start:p.tokens.InputOffset()], " \t\r\n,:")
	return v, nil
}

// compound reads what has been opened.
func (p *parser) compound(opened json.Delim) (value, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > mostDepth {
		return value{}, &FieldError{Problem: fmt.Sprintf("the JSON is nested deeper than %d levels", mostDepth)}
	}
	v := value{kind: isArray}
	if opened == '{' {
		v.kind = isObject
	}
	names := map[string]bool{}
	for p.tokens.More() {
		if v.kind == isArray {
			item, err := p.value()
			if err != nil {
				return value{}, err
			}
			v.items = append(v.items, item)
			continue
		}
		token, err := p.tokens.Token()
		if err != nil {
			return value{}, err
		}
		name, _ := token.(string)
		if names[name] {
			return value{}, &FieldError{Problem: fmt.Sprintf("duplicate field %.64q", name)}
		}
		names[name] = true
		of, err := p.value()
		if err != nil {
			return value{}, err
		}
		v.members = append(v.members, member{name, of})
	}
	_, err := p.tokens.Token() // the closing one
	return v, err
}
