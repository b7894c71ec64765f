package mongodb

import (
	"cmp"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// modelled is a collection as a MongoDB server keeps it, as far as the reference
// of its commands says (https://www.mongodb.com/docs/manual/reference/command/).
type modelled struct {
	kind    string
	uuid    int
	options bson.D
	indexes []bson.D
}

// model is the databases of a server that has what FerretDB lacks: collMod,
// validators, views, time series, collations, $out and $merge.
type model struct {
	databases map[string]map[string]*modelled
	uuids     int
}

func (m *model) in(database string) map[string]*modelled {
	if m.databases == nil {
		m.databases = map[string]map[string]*modelled{}
	}
	if m.databases[database] == nil {
		m.databases[database] = map[string]*modelled{}
	}
	return m.databases[database]
}

// make is a new collection with those options.
func (m *model) make(in map[string]*modelled, name, kind string, options bson.D) *modelled {
	m.uuids++
	c := &modelled{kind: kind, uuid: m.uuids, options: options}
	if kind != "view" {
		c.indexes = []bson.D{{{Key: "v", Value: 2}, {Key: "key", Value: bson.D{{Key: "_id", Value: 1}}}, {Key: "name", Value: "_id_"}}}
	}
	in[name] = c
	return c
}

// ensure is the collection of that name, which a write makes.
func (m *model) ensure(in map[string]*modelled, name string) *modelled {
	if c := in[name]; c != nil {
		return c
	}
	return m.make(in, name, "collection", bson.D{})
}

func set(d bson.D, key string, v any) bson.D {
	for i := range d {
		if d[i].Key == key {
			d[i].Value = v
			return d
		}
	}
	return append(d, bson.E{Key: key, Value: v})
}

func unset(d bson.D, keys ...string) bson.D {
	return slices.DeleteFunc(slices.Clone(d), func(e bson.E) bool { return slices.Contains(keys, e.Key) })
}

// run carries a command out; nil where it is none of the schema.
func (m *model) run(database string, command bson.D) bson.D {
	in, ok := m.in(database), bson.D{{Key: "ok", Value: 1.0}}
	name, _ := command[0].Value.(string)
	rest := slices.DeleteFunc(slices.Clone(command[1:]), func(e bson.E) bool { return e.Key == "lsid" || e.Key[0] == '$' })
	switch command[0].Key {
	case "create":
		if in[name] != nil {
			return refuses(48, "NamespaceExists")
		}
		m.create(in, name, rest)
		return ok
	case "collMod":
		if in[name] == nil {
			return refuses(codeNamespaceNotFound, "NamespaceNotFound")
		}
		return m.modify(in[name], rest)
	case "createIndexes":
		return m.createIndexes(in, name, rest)
	case "dropIndexes":
		return m.dropIndexes(in, name, rest)
	case "drop":
		delete(in, name)
		return ok
	case "renameCollection":
		return m.rename(name, rest)
	case "insert", "update", "findAndModify":
		m.ensure(in, name)
		return append(bson.D{{Key: "n", Value: 1}}, ok...)
	case "aggregate":
		m.writeOut(in, rest)
		return m.cursor(database, bson.A{})
	case "find":
		return m.cursor(database, bson.A{})
	case "listCollections":
		all := bson.A{}
		for name, c := range in {
			// The server lists options in an order of its own, whenever they were set.
			slices.SortFunc(c.options, func(a, b bson.E) int { return cmp.Compare(a.Key, b.Key) })
			all = append(all, bson.D{{Key: "name", Value: name}, {Key: "type", Value: c.kind}, {Key: "options", Value: c.options}, {Key: "info", Value: c.info()}})
		}
		return m.cursor(database, all)
	case "listIndexes":
		if in[name] == nil {
			return refuses(codeNamespaceNotFound, "NamespaceNotFound")
		}
		all := bson.A{}
		for _, index := range in[name].indexes {
			all = append(all, index)
		}
		return m.cursor(database, all)
	}
	return nil
}

func (m *model) cursor(database string, documents bson.A) bson.D {
	return bson.D{{Key: "cursor", Value: bson.D{{Key: "firstBatch", Value: documents}, {Key: "id", Value: int64(0)}, {Key: "ns", Value: database + ".$cmd"}}}, {Key: "ok", Value: 1.0}}
}

// info has the UUID, which views do not have.
func (c *modelled) info() bson.D {
	if c.kind == "view" {
		return bson.D{{Key: "readOnly", Value: true}}
	}
	id := md5.Sum(binary.LittleEndian.AppendUint64(nil, uint64(c.uuid)))
	return bson.D{{Key: "readOnly", Value: false}, {Key: "uuid", Value: bson.Binary{Subtype: 4, Data: id[:]}}}
}

// create fills in what the server does.
func (m *model) create(in map[string]*modelled, name string, options bson.D) {
	kind := "collection"
	for i, e := range options {
		inner, _ := e.Value.(bson.D)
		switch e.Key {
		case "viewOn":
			kind = "view"
		case "timeseries":
			kind = "timeseries"
			if valueOf(inner, "granularity") == nil {
				options[i].Value = append(slices.Clone(inner), bson.E{Key: "granularity", Value: "seconds"}, bson.E{Key: "bucketMaxSpanSeconds", Value: 3600})
			}
		case "collation":
			options[i].Value = set(set(slices.Clone(inner), "strength", 3), "caseLevel", false)
		case "validator":
			options = validated(options)
		}
	}
	m.make(in, name, kind, options)
}

// validated has how documents are validated, where that was not said.
func validated(options bson.D) bson.D {
	for _, e := range []bson.E{{Key: "validationLevel", Value: "strict"}, {Key: "validationAction", Value: "error"}} {
		if valueOf(options, e.Key) == nil {
			options = append(options, e)
		}
	}
	return options
}

func (m *model) modify(c *modelled, fields bson.D) bson.D {
	for _, e := range fields {
		inner, _ := e.Value.(bson.D)
		switch e.Key {
		case "index":
			i := slices.IndexFunc(c.indexes, func(d bson.D) bool { return valueOf(d, "name") == valueOf(inner, "name") })
			if i < 0 {
				return refuses(27, "IndexNotFound")
			}
			for _, f := range inner[1:] {
				c.indexes[i] = set(unset(c.indexes[i], f.Key), f.Key, f.Value)
				if f.Value == false {
					c.indexes[i] = unset(c.indexes[i], f.Key)
				}
			}
		case "cappedSize":
			c.options = set(slices.Clone(c.options), "size", e.Value)
		case "cappedMax":
			c.options = set(slices.Clone(c.options), "max", e.Value)
		case "validator":
			if len(inner) == 0 {
				c.options = unset(c.options, "validator")
				continue
			}
			c.options = validated(set(slices.Clone(c.options), e.Key, e.Value))
		case "validationLevel", "validationAction":
			c.options = validated(set(slices.Clone(c.options), e.Key, e.Value))
		case "changeStreamPreAndPostImages":
			if c.options = unset(c.options, e.Key); valueOf(inner, "enabled") == true {
				c.options = append(c.options, e)
			}
		case "timeseries":
			series, _ := valueOf(c.options, "timeseries").(bson.D)
			c.options = set(slices.Clone(c.options), e.Key, set(slices.Clone(series), "granularity", valueOf(inner, "granularity")))
		case "expireAfterSeconds":
			if c.options = unset(c.options, e.Key); e.Value != "off" {
				c.options = append(c.options, e)
			}
		default:
			c.options = set(slices.Clone(c.options), e.Key, e.Value)
		}
	}
	return bson.D{{Key: "ok", Value: 1.0}}
}

func (m *model) createIndexes(in map[string]*modelled, name string, rest bson.D) bson.D {
	if c := in[name]; c != nil && c.kind == "view" {
		return refuses(166, "CommandNotSupportedOnView")
	}
	list, _ := valueOf(rest, "indexes").(bson.A)
	fresh := []bson.D{}
	for _, item := range list {
		spec := append(bson.D{{Key: "v", Value: 2}}, item.(bson.D)...)
		if c := in[name]; c != nil {
			if i := slices.IndexFunc(c.indexes, func(d bson.D) bool { return valueOf(d, "name") == valueOf(spec, "name") }); i >= 0 {
				if fmt.Sprint(c.indexes[i]) != fmt.Sprint(spec) {
					return refuses(86, "IndexKeySpecsConflict")
				}
				continue
			}
		}
		fresh = append(fresh, spec)
	}
	c := m.ensure(in, name)
	c.indexes = append(slices.Clone(c.indexes), fresh...)
	return bson.D{{Key: "ok", Value: 1.0}}
}

func (m *model) dropIndexes(in map[string]*modelled, name string, rest bson.D) bson.D {
	c := in[name]
	if c == nil || c.kind == "view" {
		return refuses(codeNamespaceNotFound, "NamespaceNotFound")
	}
	which, several := valueOf(rest, "index").(bson.A)
	if !several {
		which = bson.A{valueOf(rest, "index")}
	}
	all := which[0] == "*"
	left := slices.DeleteFunc(slices.Clone(c.indexes), func(d bson.D) bool {
		return valueOf(d, "name") != "_id_" && (all || slices.Contains(which, valueOf(d, "name")))
	})
	if !all && len(c.indexes)-len(left) < len(which) {
		return refuses(27, "IndexNotFound")
	}
	c.indexes = left
	return bson.D{{Key: "ok", Value: 1.0}}
}

func (m *model) rename(from string, rest bson.D) bson.D {
	database, old, _ := strings.Cut(from, ".")
	to, _ := valueOf(rest, "to").(string)
	_, fresh, _ := strings.Cut(to, ".")
	in := m.in(database)
	switch {
	case in[old] == nil || in[old].kind != "collection":
		return refuses(codeNamespaceNotFound, "NamespaceNotFound")
	case in[fresh] != nil && (valueOf(rest, "dropTarget") != true || in[fresh].kind != "collection" || old == fresh):
		return refuses(48, "NamespaceExists")
	}
	in[fresh] = in[old]
	delete(in, old)
	return bson.D{{Key: "ok", Value: 1.0}}
}

// writeOut does what the last stage of a pipeline does to the schema: $out puts
// a new collection, with the same options and indexes, in the place of one.
func (m *model) writeOut(in map[string]*modelled, rest bson.D) {
	stages, _ := valueOf(rest, "pipeline").(bson.A)
	if len(stages) == 0 {
		return
	}
	last, _ := stages[len(stages)-1].(bson.D)
	target, _ := last[0].Value.(string)
	switch last[0].Key {
	case "$merge":
		m.ensure(in, target)
	case "$out":
		old := m.ensure(in, target)
		in[target] = m.make(in, target, old.kind, old.options)
		in[target].indexes = old.indexes
	}
}
