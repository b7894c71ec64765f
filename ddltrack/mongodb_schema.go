package ddltrack

import (
	"bytes"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// MongoCollection is a collection or a view as a MongoDB server lists it.
type MongoCollection struct {
	Name    string
	Type    string   // "collection", "view" or "timeseries"
	UUID    string   // in hex, kept when it is renamed; empty where the server gives none (views)
	Options bson.D   // what create takes beside the name
	Indexes []bson.D // each as createIndexes takes it, by name; without the one on _id
}

// Types of a MongoCollection that are told apart.
const (
	mongoCollectionType = "collection"
	mongoView           = "view"
)

// IsMongoSystem says whether a name is the server's own, and so no part of a
// schema: system.views, the buckets of time series.
func IsMongoSystem(name string) bool { return strings.HasPrefix(name, "system.") }

// MongoIndexSpec is a listed index as createIndexes takes it; false for the one
// on _id, which every collection has, also where it is the collection itself.
func MongoIndexSpec(listed bson.D) (bson.D, bool) {
	if textOf(listed, "name") == "_id_" || truthOf(listed, "clustered") {
		return nil, false
	}
	var spec bson.D
	for _, e := range listed {
		switch e.Key {
		case "v", "ns", "background", "prepareUnique":
			// Of the server's own making, or about how it was built.
		default:
			spec = append(spec, e)
		}
	}
	return spec, true
}

// index is the collection's index of that name.
func (c MongoCollection) index(name string) (bson.D, bool) {
	i := slices.IndexFunc(c.Indexes, func(d bson.D) bool { return textOf(d, "name") == name })
	if i < 0 {
		return nil, false
	}
	return c.Indexes[i], true
}

// fieldOf is a document's field.
func fieldOf(d bson.D, key string) (any, bool) {
	for _, e := range d {
		if e.Key == key {
			return e.Value, true
		}
	}
	return nil, false
}

// textOf is a document's field where it is a string.
func textOf(d bson.D, key string) string {
	v, _ := fieldOf(d, key)
	s, _ := v.(string)
	return s
}

// documentOf is a document's field where it is a document.
func documentOf(d bson.D, key string) bson.D {
	v, _ := fieldOf(d, key)
	inner, _ := v.(bson.D)
	return inner
}

// arrayOf is a document's field where it is an array.
func arrayOf(d bson.D, key string) bson.A {
	v, _ := fieldOf(d, key)
	list, _ := v.(bson.A)
	return list
}

// truthOf is a document's field as the server takes it for a flag.
func truthOf(d bson.D, key string) bool {
	v, _ := fieldOf(d, key)
	n, isNumber := numberOf(v)
	return v == true || isNumber && n != 0
}

// numberOf is a BSON number of any width.
func numberOf(v any) (float64, bool) {
	switch n := v.(type) {
	case int32:
		return float64(n), true
	case int64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

// sameBSON says whether two values are the same BSON; numbers count by value, as
// they do for the server.
func sameBSON(a, b any) bool {
	if x, ok := numberOf(a); ok {
		y, ok := numberOf(b)
		return ok && x == y
	}
	switch x := a.(type) {
	case bson.D:
		y, ok := b.(bson.D)
		return ok && slices.EqualFunc(x, y, func(p, q bson.E) bool { return p.Key == q.Key && sameBSON(p.Value, q.Value) })
	case bson.A:
		y, ok := b.(bson.A)
		return ok && slices.EqualFunc(x, y, sameBSON)
	}
	kind, left, errLeft := bson.MarshalValue(a)
	other, right, errRight := bson.MarshalValue(b)
	return errLeft == nil && errRight == nil && kind == other && bytes.Equal(left, right)
}

// sameBSONFields is same for documents whose fields have no order.
func sameBSONFields(a, b bson.D) bool {
	if len(a) != len(b) {
		return false
	}
	for _, e := range a {
		if other, ok := fieldOf(b, e.Key); !ok || !sameBSON(e.Value, other) {
			return false
		}
	}
	return true
}
