package shell

import (
	"errors"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func fixedCommands() []string {
	return []string{"collMod", "createIndexes", "dropDatabase", "renameCollection"}
}

// TestAScriptThatChangesAFixedSchemaIsNotBegun wants that no command of it is
// run, whatever stands before the one that would change the schema.
func TestAScriptThatChangesAFixedSchemaIsNotBegun(t *testing.T) {
	for _, test := range []struct {
		text    string
		changes bool
	}{
		{`db.a.insertOne({}); db.createCollection("b")`, true},
		{`db.a.insertOne({}); db.createView("b", "a", [])`, true},
		{`db.a.insertOne({}); db.a.createIndex({x: 1})`, true},
		{`db.a.insertOne({}); db["a"]["createIndexes"]([{x: 1}])`, true},
		{`db.a.insertOne({}); db.a.ensureIndex({x: 1})`, true},
		{`db.a.insertOne({}); db?.a?.dropIndex("x_1")`, true},
		{`db.a.insertOne({}); db.a.dropIndexes()`, true},
		{`db.a.insertOne({}); db.a.hideIndex("x_1")`, true},
		{`db.a.insertOne({}); if (false) { db.a.drop() }`, true},
		{`db.a.insertOne({}); (() => { try { db.a.drop() } catch (e) { } })()`, true},
		{`db.a.insertOne({}); db.a.renameCollection("b")`, true},
		{`db.a.insertOne({}); db.a.convertToCapped(1)`, true},
		{`db.a.insertOne({}); db.dropDatabase()`, true},
		{`db.a.insertOne({}); db.runCommand({collMod: "a", validator: {}})`, true},
		{`db.a.insertOne({}); db.runCommand("dropDatabase")`, true},
		{`db.a.insertOne({}); db.adminCommand({"renameCollection": "d.a", to: "d.b"})`, true},
		{`db.a.insertOne({}); db.a.aggregate([{$out: "b"}])`, false},
		{`db.a.insertOne({drop: 1, create: "b"}); "db.a.drop()" // db.a.drop()`, false},
		{`db.drop.insertOne({}); db.create.find()`, false},
		{`db.a.insertOne({}); db.runCommand({find: "a"})`, false},
		{`db.runCommand()`, false},
		{`db.a.insertOne({}); db.runCommand({...{}, ping: 1})`, false},
		// What the whole command decides about.
		{`db.fs.files.createIndex({filename: 1, uploadDate: 1})`, false},
		{`db.getCollection("fs.chunks").createIndex({files_id: 1, n: 1}, {unique: true})`, false},
		{`db.runCommand({createIndexes: "fs.files", indexes: []})`, false},
		{`db["dr" + "op" + "Database"]()`, false},
	} {
		t.Run(test.text, func(t *testing.T) {
			ran := 0
			_, err := evaluate(order{Text: test.text, Database: "d", Fixed: fixedCommands()}, func(bson.D) (Answer, error) {
				ran++
				return Answer{Reply: bson.Raw{5, 0, 0, 0, 0}}, nil
			})
			if changes := errors.Is(err, ErrSchemaFixed); changes != test.changes {
				t.Errorf("got %v, want that it changes the schema to be %t", err, test.changes)
			}
			if test.changes && ran > 0 {
				t.Errorf("%d commands of it were run", ran)
			}
			if _, err := evaluate(order{Text: test.text, Database: "d"}, func(bson.D) (Answer, error) {
				return Answer{Reply: bson.Raw{5, 0, 0, 0, 0}}, nil
			}); errors.Is(err, ErrSchemaFixed) {
				t.Error("it is refused where the schema is not fixed")
			}
		})
	}
}

// TestAChildSaysThatTheSchemaIsFixed goes by the frames.
func TestAChildSaysThatTheSchemaIsFixed(t *testing.T) {
	p := process(childServes)
	p.Fixed = fixedCommands()
	_, err := p.Run(t.Context(), `db.a.insertOne({}); db.a.drop()`, "d", func(command bson.D) (Answer, error) {
		t.Errorf("%v was run", command)
		return Answer{}, nil
	})
	if !errors.Is(err, ErrSchemaFixed) {
		t.Errorf("got %v", err)
	}
}
