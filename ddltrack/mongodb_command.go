package ddltrack

import (
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// ParseMongoCommand reads a command document in Extended JSON, canonical or
// relaxed, and leaves out what belongs to its session and not to the schema.
func ParseMongoCommand(text string) (bson.D, error) {
	var all bson.D
	if err := bson.UnmarshalExtJSON([]byte(text), false, &all); err != nil {
		return nil, fmt.Errorf("read command document: %w", err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("read command document: it is empty")
	}
	return MongoCommand(all), nil
}

// MongoCommand is the command without the fields of its session.
func MongoCommand(d bson.D) bson.D {
	var command bson.D
	for i, e := range d {
		if i == 0 || !ofSession(e.Key) {
			command = append(command, e)
		}
	}
	return command
}

// ofSession says whether a field is about how a command is sent.
func ofSession(key string) bool {
	switch key {
	case "lsid", "txnNumber", "autocommit", "startTransaction", "stmtId", "readConcern", "writeConcern",
		"maxTimeMS", "comment", "apiVersion", "apiStrict", "apiDeprecationErrors", "commitQuorum":
		return true
	}
	return strings.HasPrefix(key, "$")
}

// MongoStatement is a command as it is recorded: canonical Extended JSON.
func MongoStatement(command bson.D) (string, error) {
	text, err := bson.MarshalExtJSON(command, true, false)
	if err != nil {
		return "", fmt.Errorf("write command document: %w", err)
	}
	return string(text), nil
}

// MongoStatementFor is a recorded statement for another database: a rename names
// the database that it was recorded in.
func MongoStatementFor(statement, database string) (string, error) {
	command, err := ParseMongoCommand(statement)
	if err != nil {
		return "", err
	}
	return MongoStatement(MongoCommandFor(command, database))
}

// MongoCommandFor is the command for another database.
func MongoCommandFor(command bson.D, database string) bson.D {
	if len(command) == 0 || command[0].Key != "renameCollection" {
		return command
	}
	command = slices.Clone(command)
	for i, e := range command {
		if full, ok := e.Value.(string); ok && (i == 0 || e.Key == "to") {
			_, name, _ := strings.Cut(full, ".")
			command[i].Value = database + "." + name
		}
	}
	return command
}

// MongoNameAndTarget is what a command is named and the collection that it is
// about; a rename's is the old name, without the database.
func MongoNameAndTarget(command bson.D) (name, collection string) {
	if len(command) == 0 {
		return "", ""
	}
	collection, _ = command[0].Value.(string)
	if command[0].Key == "renameCollection" {
		_, collection, _ = strings.Cut(collection, ".")
	}
	return command[0].Key, collection
}

// MongoSchemaCommands are the names of the commands that are there to change a
// schema.
func MongoSchemaCommands() []string {
	return []string{
		"create", "createIndexes", "collMod", "drop", "dropIndexes", "deleteIndexes", "dropDatabase",
		"renameCollection", "convertToCapped", "cloneCollectionAsCapped",
		"createSearchIndexes", "updateSearchIndex", "dropSearchIndex",
	}
}

// MayChangeMongoSchema says whether a command can change a schema: by what it
// is for, or by making the collection that it writes to.
func MayChangeMongoSchema(command bson.D) (explicit, implicit bool) {
	name, _ := MongoNameAndTarget(command)
	if slices.Contains(MongoSchemaCommands(), name) {
		return true, false
	}
	switch name {
	case "insert", "update", "findAndModify", "findandmodify", "bulkWrite", "mapReduce":
		return false, true
	case "aggregate":
		stages := arrayOf(command, "pipeline")
		if len(stages) == 0 {
			return false, false
		}
		last, _ := stages[len(stages)-1].(bson.D)
		return false, len(last) > 0 && (last[0].Key == "$out" || last[0].Key == "$merge")
	}
	return false, false
}
