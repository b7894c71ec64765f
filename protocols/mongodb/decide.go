package mongodb

import (
	"bytes"
	"errors"
	"strings"
)

// Stages that show what others do on the server, or are the server's own.
func foreignStage(name []byte) bool {
	switch string(name) {
	case "$currentOp", "$listLocalSessions", "$listSessions", "$listSampledQueries", "$shardedDataDistribution",
		"$querySettings", "$queryStats", "$operationMetrics", "$backupCursor", "$backupCursorExtend", "$mergeCursors",
		"$listCachedAndActiveUsers", "$listClusterCatalog", "$listMqlEntities", "$listExtensions", "$_internal":
		return true
	}
	return bytes.HasPrefix(name, []byte("$_internal"))
}

// checkPipeline refuses what leaves the database from anywhere within a
// pipeline: a stage's own pipelines may be at any depth.
func checkPipeline(database string, pipeline []byte) error {
	return every(pipeline, 1, func(e element) error {
		if len(e.key) == 0 || e.key[0] != '$' {
			return nil
		}
		switch string(e.key) {
		case "$lookup", "$graphLookup", "$unionWith", "$out", "$merge":
			return checkTarget(database, e)
		case "$changeStream":
			return checkChangeStream(e)
		}
		if foreignStage(e.key) {
			return unauthorized("stage %s is not available in a workspace: %s", printable(e.key), whyOthers)
		}
		return nil
	})
}

// checkTarget refuses a stage that names another database, in itself or in its
// from or into.
func checkTarget(database string, stage element) error {
	if stage.kind != typeDocument {
		return nil
	}
	w, err := document(stage.value)
	if err != nil {
		return err
	}
	for w.more() {
		e, err := w.next()
		if err != nil {
			return err
		}
		switch string(e.key) {
		case "db":
			if s, ok := e.text(); !ok || string(s) != database {
				return unauthorized("stage %s may not leave the workspace's database", printable(stage.key))
			}
		case "from", "into", "to":
			if err := checkTarget(database, element{kind: e.kind, key: stage.key, value: e.value}); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkChangeStream(stage element) error {
	if stage.kind != typeDocument {
		return nil
	}
	all, err := lookup(stage.value, "allChangesForCluster")
	if err != nil {
		return err
	}
	if all.kind != 0 && all.truth() {
		return unauthorized("a change stream may not leave the workspace's database")
	}
	return nil
}

// asFailure is err in the client's words.
func asFailure(err error) *failure {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	return badRequest("%v", err)
}

// lookPipeline looks at all of a command that has a pipeline, or a view's.
func lookPipeline(database string, q *request) *failure {
	return asFailure(everyNamed(q.body, "pipeline", func(e element) error {
		if !e.nested() {
			return nil // the server refuses it
		}
		return checkPipeline(database, e.value)
	}))
}

// everyNamed calls visit for each of doc's own elements of that name: a server
// may take any of several.
func everyNamed(doc []byte, key string, visit func(e element) error) error {
	w, err := document(doc)
	if err != nil {
		return err
	}
	for w.more() {
		e, err := w.next()
		if err != nil {
			return err
		}
		if string(e.key) != key {
			continue
		}
		if err := visit(e); err != nil {
			return err
		}
	}
	return nil
}

// lookMapReduce looks where the output goes.
func lookMapReduce(database string, q *request) *failure {
	return asFailure(everyNamed(q.body, "out", func(e element) error {
		return checkTarget(database, element{kind: e.kind, key: []byte("out"), value: e.value})
	}))
}

// lookExplain looks at the command that is to be explained, which a server may
// run.
func lookExplain(database string, q *request) *failure {
	return asFailure(everyNamed(q.body, "explain", func(e element) error {
		if e.kind != typeDocument {
			return nil
		}
		inner := request{message: message{body: e.value}}
		if err := inner.read(); err != nil {
			return err
		}
		if inner.database != nil && string(inner.database) != database {
			return unauthorized("explain may not leave the workspace's database")
		}
		switch string(inner.name) {
		case "find", "count", "distinct", "insert", "update", "delete", "findAndModify", "findandmodify":
			return nil
		case "aggregate":
			return errOrNil(lookPipeline(database, &inner))
		case "mapReduce", "mapreduce":
			return errOrNil(lookMapReduce(database, &inner))
		}
		return commandNotFound("explain does not know the command '%s'", printable(inner.name))
	}))
}

// errOrNil keeps a nil failure from becoming an error that is not nil.
func errOrNil(f *failure) error {
	if f == nil {
		return nil
	}
	return f
}

// splitNamespace is database and collection of "database.collection".
func splitNamespace(ns []byte) (database, collection []byte, ok bool) {
	return bytes.Cut(ns, []byte{'.'})
}

// within says whether the namespace is a collection of the database.
func within(database string, ns element) bool {
	s, ok := ns.text()
	if !ok {
		return false
	}
	d, c, ok := splitNamespace(s)
	return ok && string(d) == database && len(c) > 0
}

// lookRename looks at both names.
func lookRename(database string, q *request) *failure {
	for _, key := range []string{"renameCollection", "to"} {
		err := everyNamed(q.body, key, func(e element) error {
			if !within(database, e) {
				return unauthorized("renameCollection may not leave the workspace's database")
			}
			return nil
		})
		if err != nil {
			return asFailure(err)
		}
	}
	return nil
}

// renamedIn is the database of the collection to rename.
func renamedIn(q *request) (string, bool) {
	e, err := lookup(q.body, "renameCollection")
	if err != nil {
		return "", false
	}
	return databaseOf(e)
}

func databaseOf(ns element) (string, bool) {
	s, ok := ns.text()
	if !ok {
		return "", false
	}
	d, _, ok := splitNamespace(s)
	return string(d), ok
}

// namespaces calls visit for each namespace that a bulkWrite names, in its body
// or in a document sequence.
func (q *request) namespaces(visit func(ns element) error) error {
	one := func(info element) error {
		if info.kind != typeDocument {
			return badRequest("nsInfo must be documents")
		}
		return everyNamed(info.value, "ns", visit)
	}
	err := everyNamed(q.body, "nsInfo", func(e element) error {
		if e.kind != typeArray {
			return badRequest("nsInfo must be an array")
		}
		w, err := document(e.value)
		for err == nil && w.more() {
			var info element
			if info, err = w.next(); err == nil {
				err = one(info)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	for i, name := range q.sequences[:q.n] {
		if string(name) != "nsInfo" {
			continue
		}
		for rest := q.documents[i]; len(rest) > 0; {
			size := valueSize(typeDocument, rest)
			if size < 0 || size > len(rest) {
				return errBSON
			}
			if err := one(element{kind: typeDocument, value: rest[:size]}); err != nil {
				return err
			}
			rest = rest[size:]
		}
	}
	return nil
}

// lookBulkWrite looks at all namespaces.
func lookBulkWrite(database string, q *request) *failure {
	return asFailure(q.namespaces(func(ns element) error {
		if !within(database, ns) {
			return unauthorized("bulkWrite may not leave the workspace's database")
		}
		full, _ := ns.text()
		_, collection, _ := splitNamespace(full)
		return errOrNil(notWritable(collection))
	}))
}

// writtenIn is the database of a bulkWrite's first namespace.
func writtenIn(q *request) (database string, ok bool) {
	// An error is found again by lookBulkWrite.
	_ = q.namespaces(func(ns element) error {
		if database == "" {
			database, ok = databaseOf(ns)
		}
		return nil
	})
	return database, ok
}

// lookWrite keeps writes from what the server itself keeps in the database:
// views, profiles and the like have their own commands.
func lookWrite(_ string, q *request) *failure { return notWritable(q.collection()) }

func notWritable(name []byte) *failure {
	if strings.HasPrefix(string(name), "system.") && string(name) != "system.js" {
		return unauthorized("collection %s belongs to the server", printable(name))
	}
	return nil
}

// lookKillSessions wants the sessions named: without, it is all of a user's.
func lookKillSessions(_ string, q *request) *failure {
	return asFailure(everyNamed(q.body, "killSessions", func(e element) error {
		if e.kind != typeArray {
			return badRequest("killSessions must be an array")
		}
		n, err := count(e.value)
		if err == nil && n == 0 {
			return unauthorized("killSessions must name its sessions in a workspace")
		}
		return err
	}))
}
