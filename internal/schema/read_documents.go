package schema

import (
	"slices"
	"strings"
)

// collection reads one of MongoDB.
func (d *decoder) collection(v value, path string) Collection {
	var c Collection
	if !d.fields(v, path, "name", "validator", "validation_level", "validation_action", "indexes") {
		return c
	}
	c.Name = d.ownName(v, path)
	if m, given := v.get("validator"); given && m.kind != isNull && d.is(m, join(path, "validator"), isObject) {
		c.Validator = m.raw
	}
	c.Level = d.choice(v, path, "validation_level", "strict", "moderate", "off")
	c.Action = d.choice(v, path, "validation_action", "error", "warn")
	for i, x := range d.list(v, path, "indexes", mostColumns) {
		c.Indexes = append(c.Indexes, d.documentIndex(x, at(join(path, "indexes"), i)))
	}
	return c
}

func (d *decoder) choice(v value, path, name string, choices ...string) string {
	text, given := d.text(v, path, name)
	if given && !slices.Contains(choices, text) {
		d.fail(join(path, name), "must be one of %s", strings.Join(choices, ", "))
	}
	return text
}

func (d *decoder) documentIndex(v value, path string) DocumentIndex {
	if v.kind == isString {
		return DocumentIndex{Name: d.name(v, path)}
	}
	var x DocumentIndex
	if !d.fields(v, path, "name", "keys", "unique", "sparse", "ttl", "partial") {
		return x
	}
	x.Name = d.optionalName(v, path)
	x.Unique, x.Sparse = d.flag(v, path, "unique", false), d.flag(v, path, "sparse", false)
	if m, given := v.get("ttl"); given {
		x.TTL, x.HasTTL = d.whole(m, join(path, "ttl")), true
	}
	if m, given := v.get("partial"); given && d.is(m, join(path, "partial"), isObject) {
		x.Partial = m.raw
	}
	keys, given := v.get("keys")
	if !given {
		d.fail(join(path, "keys"), "is missing")
		return x
	}
	if !d.is(keys, join(path, "keys"), isObject) {
		return x
	}
	if len(keys.members) == 0 || len(keys.members) > 32 {
		d.fail(join(path, "keys"), "must have 1 to 32 fields")
	}
	for _, m := range keys.members {
		x.Keys = append(x.Keys, d.key(m, join(path, "keys")))
	}
	return x
}

func (d *decoder) key(m member, path string) Key {
	path = join(path, clip(m.name))
	d.name(value{kind: isString, text: m.name}, path)
	order := string(m.raw)
	switch order {
	case "1", "-1", `"text"`, `"hashed"`, `"2dsphere"`, `"2d"`:
	default:
		d.fail(path, `must be 1, -1, "text", "hashed", "2dsphere" or "2d"`)
	}
	return Key{Field: m.name, Order: order}
}
