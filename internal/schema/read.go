package schema

const (
	mostTables  = 2000 // and collections
	mostColumns = 1000 // of a table
	mostSteps   = 10_000
)

// Read reads a schema's JSON: an object with tables, collections or patterns. An
// error is a *FieldError that names what is wrong.
func Read(document []byte) (Schema, error) {
	root, err := parse(document)
	if err != nil {
		return Schema{}, err
	}
	d := decoder{}
	s := d.schema(root)
	if d.err != nil {
		return Schema{}, d.err
	}
	return s, s.check()
}

func (d *decoder) schema(v value) Schema {
	var s Schema
	if !d.fields(v, "", "tables", "collections", "patterns") {
		return s
	}
	for i, t := range d.list(v, "", "tables", mostTables) {
		s.Tables = append(s.Tables, d.table(t, at("tables", i)))
	}
	for i, c := range d.list(v, "", "collections", mostTables) {
		s.Collections = append(s.Collections, d.collection(c, at("collections", i)))
	}
	if m, given := v.get("patterns"); given && d.is(m, "patterns", isObject) {
		for _, p := range m.members {
			s.Patterns = append(s.Patterns, d.pattern(p))
		}
	}
	if d.err == nil && len(s.Tables)+len(s.Collections)+len(s.Patterns) == 0 {
		d.fail("", "the schema is empty: it has no tables, collections or patterns")
	}
	return s
}

func (d *decoder) pattern(m member) Pattern {
	path := "patterns." + clip(m.name)
	if !d.fields(m.value, path, "ttl") {
		return Pattern{}
	}
	ttl, given := m.get("ttl")
	if !given {
		d.fail(path+".ttl", "is missing")
		return Pattern{}
	}
	return Pattern{Match: m.name, TTL: d.whole(ttl, path+".ttl")}
}
