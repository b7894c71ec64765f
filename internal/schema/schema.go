// Package schema is a schema of no database in particular: tables or collections
// as the API's JSON describes them, the templates in that JSON, and the
// statements that make them on PostgreSQL, MySQL and MongoDB.
//
// Nothing of a schema is trusted: names are quoted, types are of a strict
// grammar, and expressions can't leave the place where they stand.
package schema

import (
	"encoding/json"
	"fmt"
)

// Dialect is a kind of database that a schema can be written for, or read from.
type Dialect string

// The dialects, as the API's lists spell the types.
const (
	PostgreSQL Dialect = "postgresql"
	MySQL      Dialect = "mysql"
	MongoDB    Dialect = "mongodb"
)

// Schema is what an import makes. Tables are for SQL databases, Collections for
// MongoDB and Patterns for Redis; where those of the target are missing, they
// are made of the others.
type Schema struct {
	Tables      []Table
	Collections []Collection
	Patterns    []Pattern
}

// Table is one table. On PostgreSQL "billing.invoices" is the table invoices in
// the schema billing.
type Table struct {
	Name        string
	Columns     []Column
	PrimaryKey  []string   // names of columns
	Unique      [][]string // names of columns, each list a constraint
	Checks      []string   // SQL conditions
	Indexes     []Index
	ForeignKeys []ForeignKey
}

// Column is one column of a table.
type Column struct {
	Name     string
	Type     Type
	Nullable bool
	Default  string // an SQL expression; empty: none
}

// Index is one index of a table.
type Index struct {
	Name    string // empty: made of the table's and the columns'
	Columns []string
	Unique  bool
}

// ForeignKey says that the columns' values are those of another table's.
type ForeignKey struct {
	Name     string // empty: the server's choice
	Columns  []string
	Table    string
	Targets  []string // columns of Table; empty: its primary key
	OnDelete string   // CASCADE, RESTRICT, SET NULL, SET DEFAULT, NO ACTION; empty: the server's default
	OnUpdate string
}

// Collection is one collection of a MongoDB database.
type Collection struct {
	Name      string
	Validator json.RawMessage // Extended JSON; nil: none
	Level     string          // validationLevel
	Action    string          // validationAction
	Indexes   []DocumentIndex
}

// DocumentIndex is one index of a collection.
type DocumentIndex struct {
	Name    string // empty: made of the keys, as MongoDB's clients do
	Keys    []Key
	Unique  bool
	Sparse  bool
	TTL     int64 // seconds after which documents go, if HasTTL
	HasTTL  bool
	Partial json.RawMessage // partialFilterExpression; nil: none
}

// Key is one field of an index.
type Key struct {
	Field string
	Order string // JSON: 1, -1, "text", "hashed", "2dsphere", "2d"
}

// Pattern is the expiry of the Redis keys that match, in seconds.
type Pattern struct {
	Match string
	TTL   int64
}

// Step is one statement of an import.
type Step struct {
	Statement string
	Object    string // what it makes: "users", "index users_email_idx"
	Table     string // the table or collection that it is a part of; empty: none
	Makes     bool   // it makes Table itself
	// Before and After are settings of the session around the statement; empty:
	// none.
	Before, After string
}

// FieldError is about one field of a schema's JSON. Its text is for the client.
type FieldError struct {
	Field   string // "tables[0].columns[2].type"
	Problem string
}

func (e *FieldError) Error() string {
	if e.Field == "" {
		return e.Problem
	}
	return fmt.Sprintf("field %q %s", e.Field, e.Problem)
}

// Own is the step's object where that stands on its own: a table, or what is no
// part of one; empty otherwise.
func (s Step) Own() string {
	if s.Makes || s.Table == "" {
		return s.Object
	}
	return ""
}
