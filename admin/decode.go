package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"
)

const (
	mostBody  = 1 << 20  // bytes of a request body
	mostQuery = 16 << 20 // the same, of a query
	mostDepth = 32       // levels of a JSON value

	// mostUnwanted is what is read of a body that is refused for its size.
	mostUnwanted = 64 << 20
)

// field binds one key of a request's object to where its value goes.
type field struct {
	name     string
	into     any // *string, *bool, *int64 (of at least 1), *[]string, objects, or *json.RawMessage for an object or array
	optional bool
	choices  string // told where the field is missing; may be empty
}

// objects gives, for each object of an array, where its fields go.
type objects func() []field

// decode reads the request's JSON object strictly into the given fields.
func (x *exchange) decode(most int64, fields ...field) error {
	body, err := x.body(most)
	if err != nil {
		return err
	}
	return decodeFields(body, fields)
}

// decodeAny reads the request's JSON object, whatever its keys. Numbers are
// json.Number.
func (x *exchange) decodeAny(most int64) (map[string]any, error) {
	body, err := x.body(most)
	if err != nil {
		return nil, err
	}
	return decodeObject(body)
}

// body is the whole request body, of at most that many bytes.
func (x *exchange) body(most int64) ([]byte, error) {
	if err := acceptable(x.r.Header); err != nil {
		return nil, err
	}
	tooLarge := &failure{
		status: http.StatusRequestEntityTooLarge,
		code:   "payload_too_large",
		text:   fmt.Sprintf("the request body is larger than %d bytes", most),
	}
	if x.r.ContentLength > most {
		x.readOut()
		return nil, tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, most))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		x.readOut()
		return nil, tooLarge
	}
	if err != nil {
		return nil, badRequest("the request body broke off or came too slowly")
	}
	return body, nil
}

// readOut reads what nobody wants of a body, within bounds: most clients read an
// answer only when they have sent all, and one that ends a connection with bytes
// unread resets it, by which the answer is lost. A client that waits to be told
// to continue has sent nothing.
func (x *exchange) readOut() {
	if x.r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, x.r.Body, mostUnwanted) // it is refused in any case
	}
}

// acceptable refuses a body that is said not to be plain UTF-8 JSON. A client
// that says nothing is taken at its body.
func acceptable(h http.Header) error {
	unsupported := &failure{
		status: http.StatusUnsupportedMediaType,
		code:   "unsupported_media_type",
		text:   "send the body as JSON with the header \"Content-Type: application/json\"",
	}
	if encoding := h.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return unsupported
	}
	if h.Get("Content-Type") == "" {
		return nil
	}
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return unsupported
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return unsupported
	}
	return nil
}

// parser reads one JSON object whose syntax has been checked.
type parser struct {
	tokens *json.Decoder
	depth  int
}

// decodeFields reads body into fields: each at most once, none unknown, none
// missing, each of its type. The first fault is told by the field's name.
func decodeFields(body []byte, fields []field) error {
	p, err := parse(body)
	if err != nil {
		return err
	}
	return p.fields("", fields)
}

// fields reads the object just opened, which is at that place of the request:
// "databases[0].".
func (p *parser) fields(place string, fields []field) error {
	given := make(map[string]bool, len(fields))
	err := p.members(place, func(name string) error {
		for _, f := range fields {
			if f.name == name {
				given[name] = true
				return p.read(place+name, f.into)
			}
		}
		return badRequest("unknown field %q; the fields are %s", place+clip(name), names(fields))
	})
	if err != nil {
		return err
	}
	for _, f := range fields {
		if given[f.name] || f.optional {
			continue
		}
		if f.choices != "" {
			return badRequest("missing field %q: choose %s", place+f.name, f.choices)
		}
		return badRequest("missing field %q", place+f.name)
	}
	return nil
}

// decodeObject reads body as an object of any fields.
func decodeObject(body []byte) (map[string]any, error) {
	p, err := parse(body)
	if err != nil {
		return nil, err
	}
	return p.object()
}

// parse checks body's syntax and opens its object.
func parse(body []byte) (*parser, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, badRequest("the request body is empty; send a JSON object")
	}
	if !utf8.Valid(body) {
		return nil, badRequest("malformed JSON: not valid UTF-8")
	}
	if !json.Valid(body) {
		return nil, malformed(body)
	}
	p := &parser{tokens: json.NewDecoder(bytes.NewReader(body))}
	p.tokens.UseNumber()
	first, err := p.next()
	if err != nil {
		return nil, err
	}
	if first != json.Delim('{') {
		return nil, badRequest("the request body must be a JSON object, got %s", kindOf(first))
	}
	return p, nil
}

// malformed says where the syntax breaks.
func malformed(body []byte) error {
	err := json.Unmarshal(body, new(json.RawMessage))
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return badRequest("malformed JSON at byte %d: %v", syntax.Offset, syntax)
	}
	return badRequest("malformed JSON")
}

func (p *parser) next() (json.Token, error) {
	token, err := p.tokens.Token()
	if err != nil {
		return nil, badRequest("malformed JSON: %v", err)
	}
	return token, nil
}

// members calls each with the name of every member of the object just opened,
// which is at that place of the request; it must read the value. A name that
// comes twice is an error.
func (p *parser) members(place string, each func(name string) error) error {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > mostDepth {
		return badRequest("the JSON is nested deeper than %d levels", mostDepth)
	}
	seen := make(map[string]bool)
	for p.tokens.More() {
		token, err := p.next()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		if seen[name] {
			return badRequest("duplicate field %q", place+clip(name))
		}
		seen[name] = true
		if err := each(name); err != nil {
			return err
		}
	}
	_, err := p.next() // the closing brace
	return err
}

// object is the object just opened.
func (p *parser) object() (map[string]any, error) {
	object := make(map[string]any)
	err := p.members("", func(name string) error {
		value, err := p.value()
		object[name] = value
		return err
	})
	return object, err
}

// value is the next value, of any type.
func (p *parser) value() (any, error) {
	token, err := p.next()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		return p.object()
	case json.Delim('['):
		return p.array()
	}
	return token, nil
}

// array is the array just opened.
func (p *parser) array() ([]any, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > mostDepth {
		return nil, badRequest("the JSON is nested deeper than %d levels", mostDepth)
	}
	array := []any{}
	for p.tokens.More() {
		value, err := p.value()
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	_, err := p.next() // the closing bracket
	return array, err
}

// kindOf names the type of the JSON value that token starts.
func kindOf(token json.Token) string {
	switch token := token.(type) {
	case json.Delim:
		if token == '{' {
			return "an object"
		}
		return "an array"
	case string:
		return "a string"
	case json.Number:
		return "a number"
	case bool:
		return "a boolean"
	}
	return "null"
}

func names(fields []field) string {
	all := make([]string, len(fields))
	for i, f := range fields {
		all[i] = f.name
	}
	return strings.Join(all, ", ")
}

// clip bounds a client's name for an error's text.
func clip(name string) string {
	const most = 64
	if utf8.RuneCountInString(name) <= most {
		return name
	}
	return string([]rune(name)[:most]) + "…"
}
