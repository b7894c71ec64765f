package mongodb

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// quoted says whether a command has a double quote in the name of a collection,
// an index or an indexed field. FerretDB does not escape it in the SQL that it
// makes of it, so that what follows would be SQL of the client's.
func quoted(command bson.D) bool {
	for i, e := range command {
		name, _ := e.Value.(string)
		if (i == 0 || e.Key == "to") && strings.Contains(name, `"`) || e.Key == "indexes" && quotedIndex(e.Value) {
			return true
		}
	}
	return false
}

// quotedIndex looks at the fields' names and the name of each index.
func quotedIndex(v any) bool {
	switch v := v.(type) {
	case bson.A:
		for _, item := range v {
			if quotedIndex(item) {
				return true
			}
		}
	case bson.D:
		for _, e := range v {
			name, _ := e.Value.(string)
			if strings.Contains(e.Key, `"`) || e.Key == "name" && strings.Contains(name, `"`) || quotedIndex(e.Value) {
				return true
			}
		}
	}
	return false
}
