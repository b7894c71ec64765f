package ddltrack

import (
	"cmp"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// didCreateIndexes says whether the indexes that were made are among those of
// the command, and all of the command's are there now.
func didCreateIndexes(found, command bson.D, now MongoCollection) bool {
	asked := map[string]bool{}
	for _, a := range arrayOf(command, "indexes") {
		spec, _ := a.(bson.D)
		listed, has := now.index(textOf(spec, "name"))
		if !has || !sameIndex(spec, listed, documentOf(now.Options, "collation")) {
			return false
		}
		asked[textOf(spec, "name")] = true
	}
	for _, made := range arrayOf(found, "indexes") {
		spec, _ := made.(bson.D)
		if !asked[textOf(spec, "name")] {
			return false
		}
	}
	return true
}

// sameIndex says whether an index is what was asked for, and no more: one that
// is refused, since there is another of its name, often differs in one option.
// inherited is the collation of the collection.
func sameIndex(asked, listed, inherited bson.D) bool {
	for _, e := range slices.Concat(asked, listed) {
		if !sameIndexField(e.Key, asked, listed) {
			return false
		}
	}
	return sameIndexCollation(asked, listed, inherited)
}

func sameIndexField(key string, asked, listed bson.D) bool {
	wanted, given := fieldOf(asked, key)
	is, has := fieldOf(listed, key)
	switch key {
	case "v", "ns", "background", "collation":
		return true
	case "key":
		return sameKey(documentOf(asked, key), documentOf(listed, key))
	case "unique", "sparse", "hidden":
		return truthOf(asked, key) == truthOf(listed, key)
	case "weights":
		return sameBSONFields(weightsOf(asked), documentOf(listed, key))
	case "default_language":
		return cmp.Or(textOf(asked, key), "english") == cmp.Or(textOf(listed, key), "english")
	case "language_override":
		return cmp.Or(textOf(asked, key), "language") == cmp.Or(textOf(listed, key), "language")
	case "textIndexVersion", "2dsphereIndexVersion":
		return !given || sameBSON(wanted, is)
	}
	return given && has && sameBSON(wanted, is)
}

// weightsOf are the weights of a text index's fields, of which those that are
// not given are 1.
func weightsOf(asked bson.D) bson.D {
	weights := slices.Clone(documentOf(asked, "weights"))
	for _, e := range documentOf(asked, "key") {
		if _, given := fieldOf(weights, e.Key); e.Value == "text" && e.Key != "_fts" && !given {
			weights = append(weights, bson.E{Key: e.Key, Value: int32(1)})
		}
	}
	return weights
}

// sameKey compares the keys of an index.
func sameKey(asked, listed bson.D) bool {
	return sameBSON(listedKey(asked), listed)
}

// listedKey is a key as it is listed: in the place of a text index's fields the
// server has two of its own.
func listedKey(asked bson.D) bson.D {
	var key bson.D
	text := false
	for _, e := range asked {
		switch {
		case e.Key == "_ftsx":
		case e.Value != "text":
			key = append(key, e)
		case !text:
			text = true
			key = append(key, bson.E{Key: "_fts", Value: "text"}, bson.E{Key: "_ftsx", Value: int32(1)})
		}
	}
	return key
}

// sameIndexCollation compares collations, of which the simple one is not listed.
func sameIndexCollation(asked, listed, inherited bson.D) bool {
	_, given := fieldOf(asked, "collation")
	is := documentOf(listed, "collation")
	switch {
	case !given:
		return sameBSONFields(inherited, is)
	case localeOf(asked) == "":
		return len(is) == 0
	}
	return became("collation", documentOf(asked, "collation"), is) && isCompleted(listed, asked)
}

// withCollation are indexes of a collection as createIndexes takes them: one that
// is listed without a collation would otherwise inherit the collection's.
func withCollation(m MongoCollection, specs []bson.D) []bson.D {
	if localeOf(m.Options) == "" {
		return specs
	}
	specs = slices.Clone(specs)
	for i, spec := range specs {
		if _, has := fieldOf(spec, "collation"); !has {
			specs[i] = append(slices.Clone(spec), bson.E{Key: "collation", Value: bson.D{{Key: "locale", Value: "simple"}}})
		}
	}
	return specs
}

// didDropIndexes says whether the indexes that are gone are those of the
// command.
func didDropIndexes(found, command bson.D, old, now MongoCollection) bool {
	gone := namesIn(found)
	switch index, _ := fieldOf(command, "index"); asked := index.(type) {
	case string:
		return asked == "*" && len(now.Indexes) == 0 || slices.Equal(gone, []string{asked})
	case bson.D:
		if len(gone) != 1 {
			return false
		}
		spec, had := old.index(gone[0])
		return had && sameKey(asked, documentOf(spec, "key"))
	case bson.A:
		return slices.Equal(slices.Sorted(slices.Values(gone)), slices.Sorted(slices.Values(namesIn(command))))
	}
	return false
}

// namesIn are the names of a dropIndexes.
func namesIn(command bson.D) []string {
	switch index, _ := fieldOf(command, "index"); v := index.(type) {
	case string:
		return []string{v}
	case bson.A:
		var names []string
		for _, e := range v {
			name, _ := e.(string)
			names = append(names, name)
		}
		return names
	}
	return nil
}

// didModifyIndex compares what became of an index with what was asked for, by
// its name or its key: all that changed was asked for, and all of that is so now.
func didModifyIndex(found, asked bson.D, now MongoCollection) bool {
	fresh, has := now.index(textOf(found, "name"))
	if !has {
		return false
	}
	for _, e := range found {
		if v, given := fieldOf(asked, e.Key); e.Key != "name" && (!given || !sameBSON(v, e.Value)) {
			return false
		}
	}
	for _, e := range asked {
		is, has := fieldOf(fresh, e.Key)
		switch e.Key {
		case "keyPattern":
			key, _ := e.Value.(bson.D)
			if !sameKey(key, documentOf(fresh, "key")) {
				return false
			}
		case "hidden", "unique":
			if truthOf(asked, e.Key) != truthOf(fresh, e.Key) {
				return false
			}
		case "prepareUnique": // is not listed
		default:
			if !has || !sameBSON(is, e.Value) {
				return false
			}
		}
	}
	return true
}
