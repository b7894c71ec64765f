package mongodb

import (
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// outOfBounds says why a command may not be run for a workspace; empty where it
// may. Only what is known to stay inside of the database is let through, since
// there may be nothing behind this.
func outOfBounds(command bson.D, database string) string {
	name := command[0].Key
	kind, known := commands()[name]
	if !known {
		return fmt.Sprintf("command %q is not available in a workspace", name)
	}
	for _, e := range command[1:] {
		if why := ofSession(e.Key); why != "" {
			return why
		}
	}
	switch kind {
	case aboutCollection:
		target, ok := command[0].Value.(string)
		if !ok {
			return fmt.Sprintf("command %q needs the name of a collection", name)
		}
		if why := systemName(target); why != "" {
			return why
		}
		return pipelineBounds(command, database)
	case aboutAny:
		if target, ok := command[0].Value.(string); ok {
			if why := systemName(target); why != "" {
				return why
			}
		}
		return pipelineBounds(command, database)
	case aboutNamespaces:
		return namespaceBounds(command, database)
	case aboutCommand:
		inner, ok := command[0].Value.(bson.D)
		if !ok || len(inner) == 0 {
			return "explain needs a command document"
		}
		return outOfBounds(inner, database)
	}
	return ""
}

// bounds is what a command's first field says.
type bounds int

const (
	aboutDatabase   bounds = iota // nothing: the command is about the database
	aboutCollection               // a collection
	aboutAny                      // a collection, or 1
	aboutNamespaces               // namespaces, with their databases
	aboutCommand                  // another command
)

// commands are those that a query may send.
func commands() map[string]bounds {
	return map[string]bounds{
		"find": aboutCollection, "aggregate": aboutAny, "count": aboutCollection, "distinct": aboutCollection,
		"insert": aboutCollection, "update": aboutCollection, "delete": aboutCollection,
		"findAndModify": aboutCollection, "findandmodify": aboutCollection, "bulkWrite": aboutNamespaces,
		"getMore": aboutDatabase, "killCursors": aboutAny, "explain": aboutCommand,
		"create": aboutCollection, "collMod": aboutCollection, "drop": aboutCollection,
		"createIndexes": aboutCollection, "dropIndexes": aboutCollection, "deleteIndexes": aboutCollection,
		"listIndexes": aboutCollection, "listCollections": aboutDatabase, "convertToCapped": aboutCollection,
		"renameCollection": aboutNamespaces, "dropDatabase": aboutDatabase,
		"collStats": aboutCollection, "dbStats": aboutDatabase, "dbstats": aboutDatabase, "validate": aboutCollection,
		"dataSize": aboutNamespaces, "ping": aboutDatabase, "buildInfo": aboutDatabase, "buildinfo": aboutDatabase,
		"listCommands": aboutDatabase,
	}
}

// ofSession says why a field of a command is not for a query: it is about the
// connection, which is ours.
func ofSession(key string) string {
	switch {
	case strings.HasPrefix(key, "$"):
		return fmt.Sprintf("field %q is set by the connection", key)
	case slices.Contains([]string{"lsid", "txnNumber", "autocommit", "startTransaction", "stmtId", "apiVersion", "apiStrict"}, key):
		return fmt.Sprintf("field %q is about a session, which a query does not have of its own", key)
	}
	return ""
}

func systemName(name string) string {
	if strings.HasPrefix(name, "system.") || strings.HasPrefix(name, "$") {
		return fmt.Sprintf("collection %q is the server's own", name)
	}
	return ""
}

// namespaceBounds looks at commands that name databases.
func namespaceBounds(command bson.D, database string) string {
	check := func(v any) string {
		full, _ := v.(string)
		in, name, _ := strings.Cut(full, ".")
		if in != database {
			return fmt.Sprintf("namespace %q is outside of the workspace's database %s", full, database)
		}
		return systemName(name)
	}
	if command[0].Key != "bulkWrite" {
		if why := check(command[0].Value); why != "" {
			return why
		}
	}
	for _, e := range command[1:] {
		switch e.Key {
		case "to":
			if why := check(e.Value); why != "" {
				return why
			}
		case "nsInfo":
			list, _ := e.Value.(bson.A)
			for _, item := range list {
				d, _ := item.(bson.D)
				if len(d) == 0 || d[0].Key != "ns" {
					return "nsInfo needs documents that begin with ns"
				}
				if why := check(d[0].Value); why != "" {
					return why
				}
			}
		}
	}
	return ""
}

// pipelineBounds looks at the pipelines of a command.
func pipelineBounds(command bson.D, database string) string {
	for _, e := range command[1:] {
		if e.Key != "pipeline" {
			if e.Key == "viewOn" {
				on, _ := e.Value.(string)
				if why := systemName(on); why != "" {
					return why
				}
			}
			continue
		}
		stages, ok := e.Value.(bson.A)
		if !ok {
			return "a pipeline is an array"
		}
		if why := stagesBounds(stages, database); why != "" {
			return why
		}
	}
	return ""
}

// stages are those that stay inside of the database, if their fields do.
func stages() []string {
	return []string{
		"$addFields", "$bucket", "$bucketAuto", "$collStats", "$count", "$densify", "$documents", "$facet", "$fill",
		"$geoNear", "$graphLookup", "$group", "$indexStats", "$limit", "$lookup", "$match", "$merge", "$out",
		"$project", "$redact", "$replaceRoot", "$replaceWith", "$sample", "$search", "$searchMeta", "$set",
		"$setWindowFields", "$skip", "$sort", "$sortByCount", "$unionWith", "$unset", "$unwind", "$vectorSearch",
	}
}

func stagesBounds(list bson.A, database string) string {
	for _, item := range list {
		stage, ok := item.(bson.D)
		if !ok || len(stage) != 1 {
			return "a stage of a pipeline is a document with one field"
		}
		name := stage[0].Key
		if !slices.Contains(stages(), name) {
			return fmt.Sprintf("stage %q is not available in a workspace", name)
		}
		if why := stageBounds(name, stage[0].Value, database); why != "" {
			return why
		}
	}
	return ""
}

func stageBounds(name string, value any, database string) string {
	inner, isDocument := value.(bson.D)
	switch name {
	case "$facet":
		for _, facet := range inner {
			list, ok := facet.Value.(bson.A)
			if !ok {
				return "a facet is a pipeline"
			}
			if why := stagesBounds(list, database); why != "" {
				return why
			}
		}
		return ""
	case "$out", "$unionWith":
		if !isDocument {
			return targetBounds(name, value, database)
		}
		if why := targetBounds(name, inner, database); why != "" || name == "$out" {
			return why
		}
	case "$merge":
		if !isDocument {
			return targetBounds(name, value, database)
		}
	case "$lookup", "$graphLookup":
	default:
		return ""
	}
	for _, e := range inner {
		switch e.Key {
		case "from", "into":
			if why := targetBounds(name, e.Value, database); why != "" {
				return why
			}
		case "pipeline":
			list, ok := e.Value.(bson.A)
			if !ok {
				return "a pipeline is an array"
			}
			if why := stagesBounds(list, database); why != "" {
				return why
			}
		}
	}
	return ""
}

// targetBounds looks at the collection that a stage reads or writes beside its
// own: a name, or a document with its database. ($merge's whenMatched may be a
// pipeline too, which the server holds to stages within a document.)
func targetBounds(stage string, target any, database string) string {
	switch v := target.(type) {
	case string:
		return systemName(v)
	case bson.D:
		for _, e := range v {
			name, _ := e.Value.(string)
			switch e.Key {
			case "db":
				if name != database {
					return fmt.Sprintf("%s names a database other than the workspace's", stage)
				}
			case "coll":
				if why := systemName(name); why != "" {
					return why
				}
			}
		}
		return ""
	}
	return stage + " needs the name of a collection"
}
