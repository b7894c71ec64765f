package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const longestName = 128 // bytes; servers have limits of their own

// decoder turns values into a schema. The first fault stays, and what comes
// after it has no meaning.
type decoder struct{ err error }

func (d *decoder) fail(path, format string, args ...any) {
	if d.err == nil {
		d.err = &FieldError{Field: path, Problem: fmt.Sprintf(format, args...)}
	}
}

func (d *decoder) is(v value, path string, want kind) bool {
	if v.kind != want {
		d.fail(path, "must be %s, got %s", want, v.kind)
	}
	return v.kind == want
}

// fields says whether v is an object of these fields and no others.
func (d *decoder) fields(v value, path string, known ...string) bool {
	if path == "" && v.kind != isObject {
		d.fail("", "a schema must be a JSON object, got %s", v.kind)
		return false
	}
	if !d.is(v, path, isObject) {
		return false
	}
	for _, m := range v.members {
		if !slices.Contains(known, m.name) {
			d.fail(join(path, clip(m.name)), "is not known; the fields are %s", strings.Join(known, ", "))
			return false
		}
	}
	return true
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func at(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// clip bounds a client's text for an error.
func clip(text string) string {
	const most = 64
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "…"
}

// list are the items of an optional member.
func (d *decoder) list(v value, path, name string, most int) []value {
	m, given := v.get(name)
	if !given || !d.is(m, join(path, name), isArray) {
		return nil
	}
	if len(m.items) > most {
		d.fail(join(path, name), "has more than %d items", most)
		return nil
	}
	return m.items
}

// text is a string that may be missing or null.
func (d *decoder) text(v value, path, name string) (string, bool) {
	m, given := v.get(name)
	if !given || m.kind == isNull || !d.is(m, join(path, name), isString) {
		return "", false
	}
	return m.text, true
}

func (d *decoder) flag(v value, path, name string, otherwise bool) bool {
	m, given := v.get(name)
	if !given || !d.is(m, join(path, name), isBool) {
		return otherwise
	}
	return m.text == "true"
}

// name is a string that can name something.
func (d *decoder) name(v value, path string) string {
	if !d.is(v, path, isString) {
		return ""
	}
	switch {
	case v.text == "":
		d.fail(path, "is empty")
	case len(v.text) > longestName:
		d.fail(path, "is longer than %d bytes", longestName)
	case strings.ContainsFunc(v.text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		d.fail(path, "has a control character")
	}
	return v.text
}

// ownName is the name that every object has.
func (d *decoder) ownName(v value, path string) string {
	m, given := v.get("name")
	if !given {
		d.fail(join(path, "name"), "is missing")
		return ""
	}
	return d.name(m, join(path, "name"))
}

// optionalName is the name of what may go without.
func (d *decoder) optionalName(v value, path string) string {
	if m, given := v.get("name"); given && m.kind != isNull {
		return d.name(m, join(path, "name"))
	}
	return ""
}

// names is a list of names with at least one.
func (d *decoder) names(v value, path string) []string {
	if v.kind == isString {
		return []string{d.name(v, path)}
	}
	if !d.is(v, path, isArray) {
		return nil
	}
	if len(v.items) == 0 || len(v.items) > 32 {
		d.fail(path, "must have 1 to 32 names")
	}
	all := make([]string, len(v.items))
	for i, item := range v.items {
		all[i] = d.name(item, at(path, i))
	}
	return all
}

// expression is an SQL expression, or a number or boolean.
func (d *decoder) expression(v value, path string) string {
	switch v.kind {
	case isNumber, isBool:
		return v.text
	}
	if !d.is(v, path, isString) {
		return ""
	}
	if err := checkExpression(v.text); err != nil {
		d.fail(path, "%v", err)
	}
	return strings.TrimSpace(v.text)
}

// whole is a whole number that is not negative.
func (d *decoder) whole(v value, path string) int64 {
	if !d.is(v, path, isNumber) {
		return 0
	}
	n, err := strconv.ParseInt(v.text, 10, 32)
	if err != nil || n < 0 {
		d.fail(path, "must be a whole number from 0 to %d", 1<<31-1)
	}
	return n
}
