package mongodb

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// parallelListings is how many collections' indexes are asked for at once.
const parallelListings = 4

// listed is a collection in the answer to listCollections.
type listed struct {
	Name    string `bson:"name"`
	Type    string `bson:"type"`
	Options bson.D `bson:"options"`
	Info    struct {
		UUID bson.Binary `bson:"uuid"`
	} `bson:"info"`
}

// schema is the database's collections and views, by name, as the server lists
// them now: those of the names, or all.
func (e *Engine) schema(ctx context.Context, database string, names ...string) ([]ddltrack.MongoCollection, error) {
	filter := bson.D{}
	if len(names) > 0 {
		filter = bson.D{{Key: "name", Value: bson.D{{Key: "$in", Value: names}}}}
	}
	cursor, err := e.client.Database(database).ListCollections(ctx, filter)
	if err != nil {
		return nil, e.failed("list collections", err)
	}
	var all []listed
	if err := cursor.All(ctx, &all); err != nil {
		return nil, e.failed("list collections", err)
	}
	all = slices.DeleteFunc(all, func(l listed) bool { return ddltrack.IsMongoSystem(l.Name) })
	schema := make([]ddltrack.MongoCollection, len(all))
	errs := make([]error, len(all))
	slots := make(chan struct{}, parallelListings)
	var wg sync.WaitGroup
	for i, l := range all {
		schema[i] = ddltrack.MongoCollection{Name: l.Name, Type: cmp.Or(l.Type, "collection"), UUID: hex.EncodeToString(l.Info.UUID.Data), Options: l.Options}
		if l.Type == "view" {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			schema[i].Indexes, errs[i] = e.indexes(ctx, database, l.Name)
		})
	}
	wg.Wait()
	for i := len(all) - 1; i >= 0; i-- {
		switch {
		case code(errs[i]) == codeNamespaceNotFound:
			schema = slices.Delete(schema, i, i+1) // dropped between the two listings
		case errs[i] != nil:
			return nil, e.failed("list indexes", errs[i])
		}
	}
	slices.SortFunc(schema, func(a, b ddltrack.MongoCollection) int { return cmp.Compare(a.Name, b.Name) })
	return schema, nil
}

// indexes are a collection's, by name, as createIndexes takes them.
func (e *Engine) indexes(ctx context.Context, database, collection string) ([]bson.D, error) {
	cursor, err := e.client.Database(database).RunCommandCursor(ctx, bson.D{{Key: "listIndexes", Value: collection}})
	if err != nil {
		return nil, err
	}
	var all []bson.D
	if err := cursor.All(ctx, &all); err != nil {
		return nil, err
	}
	var specs []bson.D
	for _, l := range all {
		if spec, ok := ddltrack.MongoIndexSpec(l); ok {
			specs = append(specs, spec)
		}
	}
	slices.SortFunc(specs, func(a, b bson.D) int { return cmp.Compare(indexName(a), indexName(b)) })
	return specs, nil
}

func indexName(spec bson.D) string {
	for _, e := range spec {
		if name, ok := e.Value.(string); ok && e.Key == "name" {
			return name
		}
	}
	return ""
}

// Tables are the workspace's collections and views.
func (e *Engine) Tables(ctx context.Context, t workspace.Target) ([]workspace.Table, error) {
	schema, err := e.schema(ctx, t.Database)
	if err != nil {
		return nil, err
	}
	tables := make([]workspace.Table, len(schema))
	for i, c := range schema {
		tables[i] = workspace.Table{Name: c.Name, Indexes: []string{}, Validator: validator(c)}
		if c.Type == "collection" {
			tables[i].Indexes = append(tables[i].Indexes, "_id_")
		}
		for _, spec := range c.Indexes {
			tables[i].Indexes = append(tables[i].Indexes, indexName(spec))
		}
	}
	return tables, nil
}

// validator is a collection's, in relaxed Extended JSON; nil where it has none.
func validator(c ddltrack.MongoCollection) json.RawMessage {
	for _, o := range c.Options {
		d, ok := o.Value.(bson.D)
		if o.Key != "validator" || !ok {
			continue
		}
		// What came from the server has a text.
		text, _ := bson.MarshalExtJSON(d, false, false)
		return text
	}
	return nil
}

// Show is a command document as a line of mongosh.
func (e *Engine) Show(statement string) string { return ddltrack.MongoShown(statement) }

// Definitions are mongosh statements that rebuild the schema on an empty
// database, runnable in order.
func (e *Engine) Definitions(ctx context.Context, t workspace.Target) ([]string, error) {
	schema, err := e.schema(ctx, t.Database)
	if err != nil {
		return nil, err
	}
	statements := []string{}
	for _, c := range ddltrack.CompareMongo(t.Database, nil, schema) {
		statements = append(statements, ddltrack.MongoShells(c.Command)...)
	}
	return statements, nil
}
