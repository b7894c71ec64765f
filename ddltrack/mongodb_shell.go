package ddltrack

import (
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// MongoShown is a recorded statement as people read and type it: a line of
// mongosh, which sends the same command to whichever database it is on. What
// JavaScript has no words for stays in Extended JSON.
func MongoShown(statement string) string {
	command, err := ParseMongoCommand(statement)
	if err != nil {
		return statement
	}
	return MongoShell(command)
}

// MongoShells is a command as it is typed into mongosh, in several statements
// where it makes several indexes.
func MongoShells(command bson.D) []string {
	specs := arrayOf(command, "indexes")
	if len(command) != 2 || command[0].Key != "createIndexes" || len(specs) < 2 {
		return []string{MongoShell(command)}
	}
	var all []string
	for _, spec := range specs {
		all = append(all, MongoShell(bson.D{command[0], {Key: "indexes", Value: bson.A{spec}}}))
	}
	return all
}

// MongoShell is a command as it is typed into mongosh, in one line. The methods
// of https://www.mongodb.com/docs/mongodb-shell/reference/methods/ are used
// where they send all that the command has, and db.runCommand where they don't.
func MongoShell(command bson.D) string {
	command = MongoCommand(command)
	if !speakable(command) {
		return mongoText(command)
	}
	name, collection := MongoNameAndTarget(command)
	if len(command) == 0 || collection == "" && name != "dropDatabase" {
		return call("db.runCommand", command)
	}
	rest := command[1:]
	said := ""
	switch name {
	case "create":
		said = createShell(collection, rest)
	case "createIndexes":
		said = createIndexesShell(collection, rest)
	case "dropIndexes", "deleteIndexes":
		said = dropIndexesShell(collection, rest)
	case "drop":
		if len(rest) == 0 {
			said = call(onCollection(collection) + ".drop")
		}
	case "convertToCapped":
		if size, ok := fieldOf(rest, "size"); ok && len(rest) == 1 {
			said = call(onCollection(collection)+".convertToCapped", size)
		}
	case "dropDatabase":
		if len(rest) == 0 {
			said = call("db.dropDatabase")
		}
	case "renameCollection":
		return renameShell(command, collection)
	}
	if said == "" {
		return call("db.runCommand", command)
	}
	return said
}

// onCollection is a collection in mongosh. Names that mean something else there
// are named in full.
func onCollection(name string) string {
	if !plainWord(name) || name[0] == '_' || slices.Contains(databaseWords(), name) {
		return "db.getCollection(" + quoteJS(name) + ")"
	}
	return "db." + name
}

// databaseWords are the names that mongosh's db, or that of a workspace's
// queries, has for something other than a collection.
func databaseWords() []string {
	return strings.Fields(`adminCommand aggregate auth changeUserPassword checkMetadataConsistency cloneCollection
		cloneDatabase collection commandHelp constructor copyDatabase createCollection createEncryptedCollection
		createRole createUser createView currentOp dropAllRoles dropAllUsers dropDatabase dropRole dropUser fsyncLock
		fsyncUnlock getCollection getCollectionInfos getCollectionNames getLastError getLastErrorObj getLogComponents
		getMongo getName getProfilingStatus getReplicationInfo getRole getRoles getSiblingDB getUser getUsers
		grantPrivilegesToRole grantRolesToRole grantRolesToUser hasOwnProperty hello help hostInfo isMaster
		isPrototypeOf killOp listCommands logout printCollectionStats printReplicationInfo
		printSecondaryReplicationInfo printShardingStatus printSlaveReplicationInfo propertyIsEnumerable
		revokePrivilegesFromRole revokeRolesFromRole revokeRolesFromUser rotateCertificates runCommand serverBits
		serverBuildInfo serverCmdLineOpts serverStatus setLogLevel setProfilingLevel setSecondaryOk shutdownServer sql
		stats then toJSON toLocaleString toString updateRole updateUser valueOf version watch`)
}

// createShell is a create. mongosh gives a view no option but its collation, and
// takes some options of collections for its own.
func createShell(collection string, options bson.D) string {
	if viewOn, is := fieldOf(options, "viewOn"); is {
		pipeline, has := fieldOf(options, "pipeline")
		rest := without(options, "viewOn", "pipeline")
		if !has || !onlyFields(rest, "collation") {
			return ""
		}
		return call("db.createView", collection, viewOn, pipeline, rest)
	}
	if !onlyFields(options, strings.Fields(`capped size max storageEngine validator validationLevel validationAction
		indexOptionDefaults collation changeStreamPreAndPostImages timeseries expireAfterSeconds clusteredIndex`)...) {
		return ""
	}
	return call("db.createCollection", collection, options)
}

// createIndexesShell is a createIndexes of one index, or of several that mongosh
// would name itself. Of an index's options it sends those that it knows.
func createIndexesShell(collection string, options bson.D) string {
	specs := arrayOf(options, "indexes")
	if len(options) != 1 || len(specs) == 0 {
		return ""
	}
	var keys bson.A
	for _, s := range specs {
		spec, _ := s.(bson.D)
		key := documentOf(spec, "key")
		rest := without(spec, "key")
		if name, ok := givenIndexName(key); ok && textOf(spec, "name") == name {
			rest = without(rest, "name")
		}
		if len(key) == 0 || len(specs) > 1 && len(rest) > 0 || !onlyFields(rest, strings.Fields(`background unique name
			partialFilterExpression sparse hidden expireAfterSeconds storageEngine collation weights default_language
			language_override textIndexVersion 2dsphereIndexVersion bits min max bucketSize wildcardProjection`)...) {
			return ""
		}
		if len(specs) == 1 {
			if _, named := fieldOf(spec, "name"); !named {
				return "" // the shell would name it
			}
			return call(onCollection(collection)+".createIndex", key, rest)
		}
		keys = append(keys, key)
	}
	return call(onCollection(collection)+".createIndexes", keys)
}

// givenIndexName is the name that clients give to an index that has none: its
// fields with their directions or kinds.
func givenIndexName(key bson.D) (string, bool) {
	var parts []string
	for _, e := range key {
		switch v := e.Value.(type) {
		case int32, string:
			parts = append(parts, fmt.Sprintf("%s_%v", e.Key, v))
		default:
			return "", false
		}
	}
	return strings.Join(parts, "_"), true
}

func dropIndexesShell(collection string, options bson.D) string {
	index, ok := fieldOf(options, "index")
	if !ok || len(options) != 1 {
		return ""
	}
	on := onCollection(collection)
	switch v := index.(type) {
	case string:
		if v == "*" {
			return call(on + ".dropIndexes")
		}
		return call(on+".dropIndex", v)
	case bson.D:
		return call(on+".dropIndex", v)
	case bson.A:
		return call(on+".dropIndexes", v)
	}
	return ""
}

// renameShell is a rename, which keeps to the database that the shell is on.
func renameShell(command bson.D, collection string) string {
	_, to, within := strings.Cut(textOf(command, "to"), ".")
	on := onCollection(collection) + ".renameCollection"
	switch rest := without(command, "renameCollection", "to", "dropTarget"); {
	case len(rest) > 0 || !within:
		return call("db.adminCommand", command)
	case truthOf(command, "dropTarget"):
		return call(on, to, true)
	}
	return call(on, to)
}

// call writes a call; an empty document at its end is left out.
func call(function string, arguments ...any) string {
	if n := len(arguments); n > 1 {
		if last, is := arguments[n-1].(bson.D); is && len(last) == 0 {
			arguments = arguments[:n-1]
		}
	}
	var b strings.Builder
	b.WriteString(function + "(")
	for i, a := range arguments {
		if i > 0 {
			b.WriteString(", ")
		}
		writeJS(&b, a)
	}
	b.WriteString(")")
	return b.String()
}

// without is a document without some of its fields.
func without(d bson.D, keys ...string) bson.D {
	rest := bson.D{}
	for _, e := range d {
		if !slices.Contains(keys, e.Key) {
			rest = append(rest, e)
		}
	}
	return rest
}

// onlyFields says whether a document has no field but those.
func onlyFields(d bson.D, keys ...string) bool { return len(without(d, keys...)) == 0 }
