package ddltrack

import (
	"maps"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// changedOptions are the fields of a collMod that turns a collection's options
// from old into fresh; false where none does.
func changedOptions(old, fresh bson.D) (bson.D, bool) {
	var fields bson.D
	for _, e := range fresh {
		was, had := fieldOf(old, e.Key)
		if had && sameBSON(was, e.Value) {
			continue
		}
		field, ok := setOption(e)
		if !ok {
			return nil, false
		}
		fields = append(fields, field...)
	}
	for _, e := range old {
		if _, has := fieldOf(fresh, e.Key); has {
			continue
		}
		off, ok := unsetOption(e.Key)
		if !ok {
			return nil, false
		}
		fields = append(fields, bson.E{Key: e.Key, Value: off})
	}
	// The server takes a view's two fields only together.
	if _, is := fieldOf(fields, "pipeline"); is {
		fields = withField(fields, fresh, "viewOn")
	}
	if _, is := fieldOf(fields, "viewOn"); is {
		fields = withField(fields, fresh, "pipeline")
	}
	return fields, true
}

// withField is fields with the one of that name from options, if it lacks it.
func withField(fields, options bson.D, key string) bson.D {
	_, has := fieldOf(fields, key)
	v, known := fieldOf(options, key)
	if has || !known {
		return fields
	}
	return append(fields, bson.E{Key: key, Value: v})
}

// setOption is how collMod sets an option of create; false where it can't.
func setOption(e bson.E) (bson.D, bool) {
	switch e.Key {
	case "validator", "validationLevel", "validationAction", "viewOn", "pipeline",
		"changeStreamPreAndPostImages", "recordPreImages", "expireAfterSeconds":
		return bson.D{e}, true
	case "size":
		return bson.D{{Key: "cappedSize", Value: e.Value}}, true
	case "max":
		return bson.D{{Key: "cappedMax", Value: e.Value}}, true
	case "timeseries":
		inner, _ := e.Value.(bson.D)
		var settable bson.D
		for _, f := range inner {
			switch f.Key {
			case "granularity", "bucketMaxSpanSeconds", "bucketRoundingSeconds":
				settable = append(settable, f)
			}
		}
		if _, is := fieldOf(settable, "granularity"); is {
			// The span follows from it, and the server takes only one of them.
			settable = bson.D{{Key: "granularity", Value: textOf(settable, "granularity")}}
		}
		return bson.D{{Key: "timeseries", Value: settable}}, len(settable) > 0
	}
	return nil, false
}

// unsetOption is the value with which collMod takes an option away.
func unsetOption(key string) (any, bool) {
	switch key {
	case "validator":
		return bson.D{}, true
	case "changeStreamPreAndPostImages":
		return bson.D{{Key: "enabled", Value: false}}, true
	case "recordPreImages":
		return false, true
	case "expireAfterSeconds":
		return "off", true
	}
	return nil, false
}

// mongoRestores says whether the server takes a collMod with those fields: the
// granularity of a time series only grows.
func mongoRestores(fields bson.D) bool {
	_, is := fieldOf(fields, "timeseries")
	return !is
}

// changedIndex are the fields of a collMod that turn an index from old into
// fresh; false where none does.
func changedIndex(old, fresh bson.D) (bson.D, bool) {
	var fields bson.D
	keys := map[string]bool{}
	for _, e := range append(slices.Clone(old), fresh...) {
		keys[e.Key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		was, had := fieldOf(old, key)
		is, has := fieldOf(fresh, key)
		if had == has && sameBSON(was, is) {
			continue
		}
		switch {
		case key == "hidden":
			fields = append(fields, bson.E{Key: key, Value: truthOf(fresh, key)})
		case key == "expireAfterSeconds" && has:
			fields = append(fields, bson.E{Key: key, Value: is})
		case key == "unique" && truthOf(fresh, key):
			fields = append(fields, bson.E{Key: key, Value: true})
		default:
			return nil, false
		}
	}
	return fields, true
}

// mongoReads are the collections that a view reads.
func mongoReads(m MongoCollection) []string {
	if m.Type != mongoView {
		return nil
	}
	found := map[string]bool{}
	if on := textOf(m.Options, "viewOn"); on != "" {
		found[on] = true
	}
	readStages(arrayOf(m.Options, "pipeline"), found)
	return slices.Sorted(maps.Keys(found))
}

// readStages notes the collections that the stages of a pipeline read.
func readStages(stages bson.A, found map[string]bool) {
	for _, stage := range stages {
		d, _ := stage.(bson.D)
		for _, e := range d {
			if name, ok := e.Value.(string); ok && e.Key == "$unionWith" {
				found[name] = true
			}
			inner, _ := e.Value.(bson.D)
			switch e.Key {
			case "$lookup", "$graphLookup":
				found[textOf(inner, "from")] = true
				readStages(arrayOf(inner, "pipeline"), found)
			case "$unionWith":
				found[textOf(inner, "coll")] = true
				readStages(arrayOf(inner, "pipeline"), found)
			case "$facet":
				for _, facet := range inner {
					list, _ := facet.Value.(bson.A)
					readStages(list, found)
				}
			}
		}
	}
	delete(found, "")
}
