package mongodb

import "bytes"

// FerretDB, the server without users, puts the names of collections, indexes and
// indexed fields into its SQL, in double quotes and as Go would escape them, not
// as SQL does: a double quote in one ends the name, and what follows is SQL, by
// which a client could open the database files of others. So there is none in a
// name, on servers where nothing but the proxy keeps workspaces apart.

// quoted refuses a command by which a double quote could come into SQL.
func quoted(q *request) *failure {
	has := func(b []byte) bool { return bytes.IndexByte(b, '"') >= 0 }
	if has(q.collection()) {
		return quoteRefused()
	}
	return asFailure(everyNamed(q.body, "indexes", func(list element) error {
		if list.nested() && has(list.value) {
			return every(list.value, 1, func(e element) error {
				if text, ok := e.text(); has(e.key) || ok && string(e.key) == "name" && has(text) {
					return quoteRefused()
				}
				return nil
			})
		}
		return nil
	}))
}

func quoteRefused() *failure {
	return &failure{73, "InvalidNamespace", "the name of a collection, an index or an indexed field can't hold a double quote on this server"}
}
