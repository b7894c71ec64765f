package ddltrack

import (
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// MongoChange is one command that leads from one schema towards another.
type MongoChange struct {
	Command bson.D
	Description
	// Said is which of the announced commands it is in the words of; -1: none.
	Said int
}

// CompareMongo lists the commands that turn the schema before into after, in an
// order in which they can be run on database. References within the same
// comparison are kept: what a command needs was there before, or comes earlier.
func CompareMongo(database string, before, after []MongoCollection) []MongoChange {
	c := mongoComparison{database: database}
	pairs, gone, made := matchMongo(before, after)
	for _, old := range gone {
		c.drop(old)
	}
	c.rename(pairs, before, after)
	for _, p := range pairs {
		c.modify(p)
	}
	for _, views := range []bool{false, true} {
		for _, fresh := range made {
			if (fresh.Type == mongoView) == views {
				c.create(fresh)
			}
		}
	}
	return c.changes
}

// mongoPair is a collection before and after.
type mongoPair struct{ old, fresh MongoCollection }

// matchMongo finds what is the same collection: by its UUID, or by its name where
// the server gives none. One that was changed in a way that no command can
// follow is gone and made anew.
func matchMongo(before, after []MongoCollection) (pairs []mongoPair, gone, made []MongoCollection) {
	claimed := make([]bool, len(after))
	var lost []MongoCollection
	for _, old := range before {
		i := slices.IndexFunc(after, func(fresh MongoCollection) bool {
			if old.UUID != "" || fresh.UUID != "" {
				return old.UUID == fresh.UUID
			}
			return old.Name == fresh.Name
		})
		switch {
		case i < 0:
			lost = append(lost, old)
		case canFollow(old, after[i]):
			claimed[i] = true
			pairs = append(pairs, mongoPair{old, after[i]})
		default:
			gone = append(gone, old)
		}
	}
	for _, old := range lost {
		i := slices.IndexFunc(after, func(fresh MongoCollection) bool { return standsFor(fresh, old) })
		if i < 0 || claimed[i] || slices.ContainsFunc(before, func(m MongoCollection) bool { return m.UUID == after[i].UUID }) {
			gone = append(gone, old)
			continue
		}
		claimed[i] = true
		pairs = append(pairs, mongoPair{old, after[i]})
	}
	for i, fresh := range after {
		if !claimed[i] {
			made = append(made, fresh)
		}
	}
	return pairs, gone, made
}

// canFollow says whether commands lead from one state of a collection to another.
func canFollow(old, fresh MongoCollection) bool {
	_, ok := changedOptions(old.Options, fresh.Options)
	return ok && old.Type == fresh.Type
}

// standsFor says whether a collection stands where another one was, and is like
// it: $out and mapReduce exchange a collection for one with its options and
// indexes, which is no change of the schema. A drop would take the documents of
// all to whom the queue is brought. Neither of them writes to a capped one.
func standsFor(fresh, old MongoCollection) bool {
	return fresh.Name == old.Name && canFollow(old, fresh) && !truthOf(fresh.Options, "capped")
}

// mongoComparison collects the changes.
type mongoComparison struct {
	database string
	changes  []MongoChange
}

func (c *mongoComparison) add(command bson.D, d Description) {
	d.Reversible = d.WhyNot == ""
	c.changes = append(c.changes, MongoChange{Command: command, Description: d, Said: -1})
}

func (c *mongoComparison) drop(old MongoCollection) {
	d := Description{
		Operation: "drop", ObjectType: old.Type, Object: old.Name, Identity: old.Name,
		WhyNot:   "its documents are gone",
		Warnings: []string{"deletes the collection's documents"},
	}
	if old.Type == mongoView {
		d.WhyNot, d.Warnings = "", nil
		d.Reverse = mongoText(createCommand(old))
	}
	c.add(bson.D{{Key: "drop", Value: old.Name}}, d)
}

func (c *mongoComparison) create(fresh MongoCollection) {
	c.add(createCommand(fresh), Description{
		Operation: "create", ObjectType: fresh.Type, Object: fresh.Name, Identity: fresh.Name,
		Reverse:    mongoText(bson.D{{Key: "drop", Value: fresh.Name}}),
		References: mongoReads(fresh),
	})
	c.createIndexes(fresh, fresh.Indexes)
}

func createCommand(m MongoCollection) bson.D {
	return append(bson.D{{Key: "create", Value: m.Name}}, m.Options...)
}

func (c *mongoComparison) createIndexes(m MongoCollection, specs []bson.D) {
	if len(specs) == 0 {
		return
	}
	d := indexDescription("createIndexes", m, specs)
	d.Reverse = mongoText(dropIndexesCommand(m.Name, specs))
	for _, spec := range specs {
		if truthOf(spec, "unique") {
			d.Warnings = append(d.Warnings, "fails where documents have equal values of the indexed fields")
			break
		}
	}
	c.add(createIndexesCommand(m.Name, withCollation(m, specs)), d)
}

func (c *mongoComparison) dropIndexes(m MongoCollection, specs []bson.D) {
	if len(specs) == 0 {
		return
	}
	d := indexDescription("dropIndexes", m, specs)
	d.Reverse = mongoText(createIndexesCommand(m.Name, withCollation(m, specs)))
	c.add(dropIndexesCommand(m.Name, specs), d)
}

// indexDescription names an index as the server's namespaces once did:
// "users.$email_1". Several at once are named by their collection.
func indexDescription(operation string, m MongoCollection, specs []bson.D) Description {
	var shown []string
	for _, spec := range specs {
		shown = append(shown, textOf(spec, "name"))
	}
	d := Description{
		Operation: operation, ObjectType: "index", Object: m.Name + "." + strings.Join(shown, ", "),
		Identity: m.Name, References: []string{m.Name},
	}
	if len(shown) == 1 {
		d.Identity = m.Name + ".$" + shown[0]
	}
	return d
}

func createIndexesCommand(collection string, specs []bson.D) bson.D {
	list := make(bson.A, len(specs))
	for i, spec := range specs {
		list[i] = spec
	}
	return bson.D{{Key: "createIndexes", Value: collection}, {Key: "indexes", Value: list}}
}

func dropIndexesCommand(collection string, specs []bson.D) bson.D {
	var which any = textOf(specs[0], "name")
	if len(specs) > 1 {
		list := make(bson.A, len(specs))
		for i, spec := range specs {
			list[i] = textOf(spec, "name")
		}
		which = list
	}
	return bson.D{{Key: "dropIndexes", Value: collection}, {Key: "index", Value: which}}
}

// modify adds what turns a pair's old side, renamed by now, into its fresh one.
func (c *mongoComparison) modify(p mongoPair) {
	if options, _ := changedOptions(p.old.Options, p.fresh.Options); len(options) > 0 {
		d := Description{
			Operation: "collMod", ObjectType: p.fresh.Type, Object: p.fresh.Name, Identity: p.fresh.Name,
			References: append([]string{p.fresh.Name}, mongoReads(p.fresh)...),
		}
		back, ok := changedOptions(p.fresh.Options, p.old.Options)
		d.WhyNot = "the options that it had were the server's own, and can't be set"
		if ok && mongoRestores(back) {
			d.WhyNot = ""
			d.Reverse = mongoText(append(bson.D{{Key: "collMod", Value: p.fresh.Name}}, back...))
		}
		c.add(append(bson.D{{Key: "collMod", Value: p.fresh.Name}}, options...), d)
	}
	var gone, made []bson.D
	for _, old := range p.old.Indexes {
		fresh, kept := p.fresh.index(textOf(old, "name"))
		options, ok := changedIndex(old, fresh)
		switch {
		case !kept:
			gone = append(gone, old)
		case !ok:
			gone, made = append(gone, old), append(made, fresh)
		case len(options) > 0:
			c.modifyIndex(p.fresh, old, fresh, options)
		}
	}
	for _, fresh := range p.fresh.Indexes {
		if _, had := p.old.index(textOf(fresh, "name")); !had {
			made = append(made, fresh)
		}
	}
	c.dropIndexes(p.fresh, gone)
	c.createIndexes(p.fresh, made)
}

func (c *mongoComparison) modifyIndex(m MongoCollection, old, fresh, options bson.D) {
	command := func(options bson.D) bson.D {
		index := append(bson.D{{Key: "name", Value: textOf(old, "name")}}, options...)
		return bson.D{{Key: "collMod", Value: m.Name}, {Key: "index", Value: index}}
	}
	d := indexDescription("collMod", m, []bson.D{old})
	back, ok := changedIndex(fresh, old)
	if ok {
		d.Reverse = mongoText(command(back))
	} else {
		d.WhyNot = "what it set can't be taken from an index again"
	}
	c.add(command(options), d)
}

// rename adds the renames of pairs. A name must be free before it is given, so
// those go first that free one; where they go in a circle, one makes a detour.
func (c *mongoComparison) rename(pairs []mongoPair, before, after []MongoCollection) {
	var waiting []mongoRename
	for _, p := range pairs {
		if p.old.Name != p.fresh.Name {
			waiting = append(waiting, mongoRename{p.old.Name, p.fresh.Name, p.fresh.Type})
		}
	}
	for len(waiting) > 0 {
		i := slices.IndexFunc(waiting, func(r mongoRename) bool {
			return !slices.ContainsFunc(waiting, func(other mongoRename) bool { return other.from == r.to })
		})
		if i < 0 {
			detour := unusedMongoName(before, after)
			c.addRename(mongoRename{waiting[0].from, detour, waiting[0].kind})
			waiting[0].from = detour
			continue
		}
		c.addRename(waiting[i])
		waiting = slices.Delete(waiting, i, i+1)
	}
}

type mongoRename struct{ from, to, kind string }

func (c *mongoComparison) addRename(r mongoRename) {
	c.add(renameCommand(c.database, r.from, r.to), Description{
		Operation: "renameCollection", ObjectType: r.kind, Object: r.to, Identity: r.to,
		Reverse:    mongoText(renameCommand(c.database, r.to, r.from)),
		References: []string{r.from},
		Warnings:   []string{"queries that use the old name fail"},
	})
}

func renameCommand(database, from, to string) bson.D {
	return bson.D{{Key: "renameCollection", Value: database + "." + from}, {Key: "to", Value: database + "." + to}}
}

// unusedMongoName is a name that is in neither schema.
func unusedMongoName(before, after []MongoCollection) string {
	all := append(slices.Clone(before), after...)
	name := "renaming"
	for slices.ContainsFunc(all, func(m MongoCollection) bool { return m.Name == name }) {
		name += "_"
	}
	return name
}

// mongoText is MongoStatement for what we made ourselves or read from a server,
// which has a text always.
func mongoText(command bson.D) string {
	text, err := MongoStatement(command)
	if err != nil {
		return ""
	}
	return text
}
