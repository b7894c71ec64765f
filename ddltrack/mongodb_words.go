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
	w.impliedCollections()
	return w.changes
}

// words are changes on their way into the clients' words.
type words struct {
	database      string
	before, after []MongoCollection
	changes       []MongoChange
}

// command finds the change that the command made.
func (w *words) command(command bson.D, said int) {
	i := slices.IndexFunc(w.changes, func(c MongoChange) bool { return c.Said < 0 && w.did(c.Command, command) })
	if i < 0 {
		return
	}
	w.changes[i].Command, w.changes[i].Said = command, said
}

// impliedCollections are those that createIndexes made beside its indexes, since
// nobody else said so: they are of its unit.
func (w *words) impliedCollections() {
	for i := 1; i < len(w.changes); i++ {
		made, of := &w.changes[i-1], w.changes[i]
		if made.Said < 0 && of.Said >= 0 && of.Command[0].Key == "createIndexes" &&
			sameBSON(made.Command, bson.D{{Key: "create", Value: of.Command[0].Value}}) {
			made.Said = of.Said
		}
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
		return didCreate(found, command) && isCompleted(found[1:], command)
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

// isCompleted says whether the documents among the options have nothing that was
// not asked for but what the server fills in.
func isCompleted(options, command bson.D) bool {
	for _, o := range options {
		is, _ := o.Value.(bson.D)
		switch o.Key {
		case "timeseries", "collation", "clusteredIndex":
			asked := documentOf(command, o.Key)
			if slices.ContainsFunc(is, func(e bson.E) bool {
				_, given := fieldOf(asked, e.Key)
				return !given && !supplied(o.Key, e, asked)
			}) {
				return false
			}
		}
	}
	return true
}

// supplied says whether a field of an option has the value that the server gives
// it where none was asked for. The defaults of some locales are others; their
// collations stay in the server's words.
func supplied(option string, e bson.E, asked bson.D) bool {
	var by any
	switch option + "." + e.Key {
	case "collation.version", "clusteredIndex.v":
		return true
	case "collation.caseLevel", "collation.numericOrdering", "collation.normalization", "collation.backwards":
		by = false
	case "collation.caseFirst":
		by = "off"
	case "collation.strength":
		by = 3.0
	case "collation.alternate":
		by = "non-ignorable"
	case "collation.maxVariable":
		by = "punct"
	case "clusteredIndex.name":
		by = "_id_"
	case "timeseries.granularity":
		by = "seconds"
	case "timeseries.bucketMaxSpanSeconds":
		by = 3600.0
		switch textOf(asked, "granularity") {
		case "minutes":
			by = 86400.0
		case "hours":
			by = 2592000.0
		}
	}
	return by != nil && sameBSON(by, e.Value)
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

// didModify says whether the command sets all that was changed, and all that it
// sets is so now.
func didModify(found, command bson.D, now MongoCollection) bool {
	validates := false
	for _, key := range []string{"validator", "validationLevel", "validationAction"} {
		_, asked := fieldOf(command, key)
		validates = validates || asked
	}
	for _, e := range found[1:] {
		if _, asked := fieldOf(command, e.Key); !asked && !(validates && filledIn(e)) {
			return false
		}
	}
	for _, e := range command[1:] {
		if e.Key == "index" {
			asked, _ := e.Value.(bson.D)
			if !didModifyIndex(documentOf(found, "index"), asked, now) {
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

// dropDatabase makes one unit of the drops; each stays a command of its own,
// since a whole database is more than a schema change should take with it. Where
// a collection is left that was there, it has failed, or came before them.
func (w *words) dropDatabase(said int) {
	if slices.ContainsFunc(w.before, func(old MongoCollection) bool {
		fresh := named(w.after, old.Name)
		return fresh.Name != "" && fresh.UUID == old.UUID
	}) {
		return
	}
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
	if dropped < 0 || made < 0 || !isConverted(named(w.before, collection).Options, named(w.after, collection).Options, command) {
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

// isConverted says whether a collection's options are what a convertToCapped
// makes of the old ones: it keeps all others.
func isConverted(old, fresh, command bson.D) bool {
	others := func(options bson.D) bson.D {
		return slices.DeleteFunc(slices.Clone(options), func(e bson.E) bool { return e.Key == "capped" || e.Key == "size" })
	}
	asked, _ := fieldOf(command, "size")
	is, _ := fieldOf(fresh, "size")
	return truthOf(fresh, "capped") && became("size", asked, is) && sameBSONFields(others(old), others(fresh))
}
