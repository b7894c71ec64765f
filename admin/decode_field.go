package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// read puts the next value, of the field of that name, where it goes.
func (p *parser) read(name string, into any) error {
	if into, ok := into.(*json.RawMessage); ok {
		return p.readRaw(name, into)
	}
	token, err := p.next()
	if err != nil {
		return err
	}
	switch into := into.(type) {
	case *string:
		text, ok := token.(string)
		if !ok {
			return badRequest("field %q must be a string, got %s", name, kindOf(token))
		}
		*into = text
		return nil
	case *bool:
		yes, ok := token.(bool)
		if !ok {
			return badRequest("field %q must be true or false, got %s", name, kindOf(token))
		}
		*into = yes
		return nil
	case *int64:
		return readNumber(name, token, into)
	case *[]string:
		if token != json.Delim('[') {
			return badRequest("field %q must be an array of strings, got %s", name, kindOf(token))
		}
		return p.readStrings(name, into)
	case objects:
		if token != json.Delim('[') {
			return badRequest("field %q must be an array of objects, got %s", name, kindOf(token))
		}
		return p.readObjects(name, into)
	}
	return fmt.Errorf("decode field %s: no rule for type %T", name, into)
}

// readNumber takes a whole number of at least 1: 0 stands for a field that was
// left out.
func readNumber(name string, token json.Token, into *int64) error {
	number, ok := token.(json.Number)
	if !ok {
		return badRequest("field %q must be a whole number, got %s", name, kindOf(token))
	}
	n, err := number.Int64()
	if err != nil || n < 1 {
		return badRequest("field %q must be a whole number of at least 1, got %s", name, clip(number.String()))
	}
	*into = n
	return nil
}

// readStrings reads the array just opened.
func (p *parser) readStrings(name string, into *[]string) error {
	*into = []string{}
	for p.tokens.More() {
		token, err := p.next()
		if err != nil {
			return err
		}
		text, ok := token.(string)
		if !ok {
			return badRequest("field %q must be an array of strings, got %s in it", name, kindOf(token))
		}
		*into = append(*into, text)
	}
	_, err := p.next() // the closing bracket
	return err
}

// readObjects reads the array just opened.
func (p *parser) readObjects(name string, each objects) error {
	for i := 0; p.tokens.More(); i++ {
		token, err := p.next()
		if err != nil {
			return err
		}
		if token != json.Delim('{') {
			return badRequest("field %q must be an array of objects, got %s in it", name, kindOf(token))
		}
		if err := p.fields(fmt.Sprintf("%s[%d].", name, i), each()); err != nil {
			return err
		}
	}
	_, err := p.next() // the closing bracket
	return err
}

// readRaw keeps the next value as it was sent: the domain reads what is in it.
func (p *parser) readRaw(name string, into *json.RawMessage) error {
	if err := p.tokens.Decode(into); err != nil {
		return badRequest("malformed JSON: %v", err)
	}
	if len(*into) > 0 && ((*into)[0] == '{' || (*into)[0] == '[') {
		return nil
	}
	first, err := json.NewDecoder(bytes.NewReader(*into)).Token()
	if err != nil {
		return badRequest("malformed JSON: %v", err)
	}
	return badRequest("field %q must be an object or an array, got %s", name, kindOf(first))
}
