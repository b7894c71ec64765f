package ddltrack

import (
	"math"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// InClientsWords puts the commands that clients announced in the place of those
// that CompareMongo found between before and after, where they did the same:
// same operation, same collection, and all that the command asks for is so in
// after. The order stays. Each announced command is used once, the newest goes
// first: an older one may have failed.
func InClientsWords(database string, before, after []MongoCollection, changes []MongoChange, announced []bson.D) []MongoChange {
	w := words{database: database, before: before, after: after, changes: slices.Clone(changes)}
	for said, command := range slices.Backward(announced) {
		switch command[0].Key {
		case "dropDatabase":
			w.dropDatabase(said)
		case "renameCollection":
			w.rename(command, said)
		case "convertToCapped":
			w.convert(command, said)
		default:
			w.command(command, said)
		}
	}
	return w.changes
}

// words are changes on their way into the clients' words.
type words struct {
	database      string
	before, after []MongoCollection
	changes       []MongoChange
}

// command finds the change that the command made. What createIndexes made
// beside its indexes, the collection, is of the same unit.
func (w *words) command(command bson.D, said int) {
	i := slices.IndexFunc(w.changes, func(c MongoChange) bool { return c.Said < 0 && w.did(c.Command, command) })
	if i < 0 {
		return
	}
	w.changes[i].Command, w.changes[i].Said = command, said
	if command[0].Key != "createIndexes" || i == 0 {
		return
	}
	made := &w.changes[i-1]
	if made.Said < 0 && made.Command[0].Key == "create" && made.Command[0].Value == command[0].Value {
		made.Said = said
	}
}

// did says whether what the comparison found is what the client's command asks
// for.
func (w *words) did(found, command bson.D) bool {
	operation, collection := MongoNameAndTarget(found)
	name, target := MongoNameAndTarget(command)
	if name == "deleteIndexes" {
		name = "dropIndexes"
	}
	if name != operation || target != collection {
		return false
	}
	switch name {
	case "drop":
		return true
	case "create":
		return didCreate(found, command)
	case "createIndexes":
		return didCreateIndexes(found, command, named(w.after, collection))
	case "dropIndexes":
		return didDropIndexes(found, command, named(w.before, collection), named(w.after, collection))
	case "collMod":
		return didModify(found, command, named(w.after, collection))
	}
	return false
}

// named is the collection of that name; one without indexes where there is none.
func named(all []MongoCollection, name string) MongoCollection {
	i := slices.IndexFunc(all, func(m MongoCollection) bool { return m.Name == name })
	if i < 0 {
		return MongoCollection{}
	}
	return all[i]
}

// didCreate compares what a collection is with what was asked for. Of some
// options the server keeps more than it was given.
func didCreate(found, command bson.D) bool {
	for _, e := range command[1:] {
		is, has := fieldOf(found, e.Key)
		if !has && !isDefault(e) {
			return false
		}
		if has && !became(e.Key, e.Value, is) {
			return false
		}
	}
	_, validates := fieldOf(command, "validator")
	for _, e := range found[1:] {
		if _, asked := fieldOf(command, e.Key); !asked && !(validates && filledIn(e)) {
			return false
		}
	}
	return true
}

// isDefault says whether an option asks for what is so without it.
func isDefault(e bson.E) bool {
	switch e.Key {
	case "capped", "temp":
		return !truthOf(bson.D{e}, e.Key)
	case "autoIndexId":
		return true
	case "validator":
		d, _ := e.Value.(bson.D)
		return len(d) == 0
	case "collation":
		return localeOf(bson.D{e}) == ""
	}
	return false
}

// became says whether an option that was asked for would be listed as is: the
// server rounds a capped collection's size and fills some documents in.
func became(key string, asked, is any) bool {
	switch key {
	case "size":
		a, _ := numberOf(asked)
		b, _ := numberOf(is)
		return a == b || b == max(leastCapped, math.Ceil(a/cappedStep)*cappedStep)
	case "timeseries", "collation", "clusteredIndex":
		wanted, _ := asked.(bson.D)
		got, _ := is.(bson.D)
		for _, e := range wanted {
			if v, has := fieldOf(got, e.Key); !has || !sameBSON(v, e.Value) {
				return false
			}
		}
		return true
	}
	return sameBSON(asked, is)
}

// How the server rounds the size of a capped collection, in bytes.
const (
	leastCapped = 4096
	cappedStep  = 256
)

// localeOf is a command's collation; the simple one is none.
func localeOf(command bson.D) string {
	locale := textOf(documentOf(command, "collation"), "locale")
	if locale == "simple" {
		return ""
	}
	return locale
}

// didCreateIndexes says whether the indexes that were made are among those of
// the command, and all of the command's are there now.
func didCreateIndexes(found, command bson.D, now MongoCollection) bool {
	asked := map[string]bool{}
	for _, a := range arrayOf(command, "indexes") {
		spec, _ := a.(bson.D)
		listed, has := now.index(textOf(spec, "name"))
		if !has || !sameIndex(spec, listed) {
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

// sameIndex compares an index as it was asked for with what it is.
func sameIndex(asked, listed bson.D) bool {
	for _, e := range asked {
		is, has := fieldOf(listed, e.Key)
		switch e.Key {
		case "key":
			key, _ := e.Value.(bson.D)
			if !sameKey(key, documentOf(listed, "key")) {
				return false
			}
		case "v", "ns", "background", "collation", "weights", "default_language", "language_override", "textIndexVersion", "2dsphereIndexVersion":
		case "unique", "sparse", "hidden":
			if truthOf(asked, e.Key) != truthOf(listed, e.Key) {
				return false
			}
		default:
			if !has || !sameBSON(is, e.Value) {
				return false
			}
		}
	}
	return truthOf(asked, "unique") == truthOf(listed, "unique")
}

// sameKey compares the keys of an index; that of a text index is listed in the
// server's own form.
func sameKey(asked, listed bson.D) bool {
	if _, isText := fieldOf(listed, "_fts"); isText {
		return slices.ContainsFunc(asked, func(e bson.E) bool { return e.Value == "text" || e.Key == "_fts" })
	}
	return sameBSON(asked, listed)
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

// didModify says whether the command sets all that was changed, and all that it
// sets is so now.
func didModify(found, command bson.D, now MongoCollection) bool {
	for _, e := range found[1:] {
		if _, asked := fieldOf(command, e.Key); !asked && !filledIn(e) {
			return false
		}
	}
	for _, e := range command[1:] {
		if e.Key == "index" {
			asked, _ := e.Value.(bson.D)
			if !didModifyIndex(documentOf(found, "index"), asked) {
				return false
			}
			continue
		}
		is, has := fieldOf(now.Options, e.Key)
		set, changed := fieldOf(found, e.Key)
		switch {
		case changed && sameBSON(set, e.Value):
		case has && sameBSON(is, e.Value):
		default:
			return false
		}
	}
	return true
}

// filledIn says whether a create or collMod of a validator sets an option to
// that, of itself, where it has no value yet.
func filledIn(e bson.E) bool {
	return e.Key == "validationLevel" && e.Value == "strict" || e.Key == "validationAction" && e.Value == "error"
}

// didModifyIndex compares what became of an index with what was asked for; it
// may have been named by its key.
func didModifyIndex(found, asked bson.D) bool {
	for _, e := range found {
		if e.Key == "name" && textOf(asked, "name") == "" {
			continue
		}
		if v, has := fieldOf(asked, e.Key); !has || !sameBSON(v, e.Value) {
			return false
		}
	}
	return len(found) > 0
}

// dropDatabase makes one unit of the drops; each stays a command of its own,
// since a whole database is more than a schema change should take with it.
func (w *words) dropDatabase(said int) {
	for i := range w.changes {
		if w.changes[i].Said < 0 && w.changes[i].Command[0].Key == "drop" {
			w.changes[i].Said = said
		}
	}
}

// rename takes the client's rename, with the drop of what had the name.
func (w *words) rename(command bson.D, said int) {
	_, from := MongoNameAndTarget(command)
	to := strings.TrimPrefix(textOf(command, "to"), w.database+".")
	i := slices.IndexFunc(w.changes, func(c MongoChange) bool {
		return c.Said < 0 && sameBSONFields(c.Command, renameCommand(w.database, from, to))
	})
	if i < 0 {
		return
	}
	w.changes[i].Command, w.changes[i].Said = command, said
	if !truthOf(command, "dropTarget") {
		return
	}
	dropped := slices.IndexFunc(w.changes, func(c MongoChange) bool {
		return c.Said < 0 && c.Command[0].Key == "drop" && c.Command[0].Value == to
	})
	if dropped < 0 {
		return
	}
	w.changes[i].Reversible, w.changes[i].Reverse = false, ""
	w.changes[i].WhyNot = "the documents of the collection that had the name are gone"
	w.changes[i].Warnings = append(w.changes[i].Warnings, w.changes[dropped].Warnings...)
	w.changes = slices.Delete(w.changes, dropped, dropped+1)
}

// convert takes a convertToCapped, which makes the collection anew, for the
// drop and the create that it looks like: replayed, it keeps the documents.
func (w *words) convert(command bson.D, said int) {
	_, collection := MongoNameAndTarget(command)
	about := func(operation string) int {
		return slices.IndexFunc(w.changes, func(c MongoChange) bool {
			return c.Said < 0 && c.Command[0].Key == operation && c.Command[0].Value == collection
		})
	}
	dropped, made := about("drop"), about("create")
	if dropped < 0 || made < 0 || !truthOf(w.changes[made].Command, "capped") {
		return
	}
	w.changes[made] = MongoChange{Command: command, Said: said, Description: Description{
		Operation: "convertToCapped", ObjectType: mongoCollectionType, Object: collection, Identity: collection,
		WhyNot:     "a capped collection can't be made an ordinary one again",
		References: []string{collection},
		Warnings:   []string{"deletes the oldest documents beyond the size", "drops the collection's indexes"},
	}}
	w.changes = slices.Delete(w.changes, dropped, dropped+1)
}
