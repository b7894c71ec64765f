package mongodb

import (
	"context"
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// TestDriversWithTheirDefaults has the Go driver work in every way to connect.
func TestDriversWithTheirDefaults(t *testing.T) {
	w := newWorld(t)
	for name, query := range map[string]string{
		"as printed":            plainDirect,
		"PLAIN with discovery":  "&authMechanism=PLAIN",
		"SCRAM with discovery":  "",
		"SCRAM direct":          "&directConnection=true",
		"SCRAM by admin":        "&authSource=admin",
		"snappy":                "&compressors=snappy",
		"zlib":                  "&compressors=zlib",
		"zstd, polled monitors": "&compressors=zstd&serverMonitoringMode=poll",
	} {
		t.Run(name, func(t *testing.T) {
			s := w.workspace(t, workspace.Control, workspace.DefaultSettings())
			db := s.driver(t, query)
			ctx, done := context.WithTimeout(t.Context(), patience)
			defer done()
			if err := db.Client().Ping(ctx, nil); err != nil {
				t.Fatalf("ping: %v", err)
			}
			var documents []any
			for i := range 250 {
				documents = append(documents, bson.D{{Key: "n", Value: i}, {Key: "text", Value: fmt.Sprint("document ", i)}})
			}
			users := db.Collection("users")
			if _, err := users.InsertMany(ctx, documents); err != nil {
				t.Fatalf("insert: %v", err)
			}
			cursor, err := users.Find(ctx, bson.D{}, options.Find().SetBatchSize(50).SetSort(bson.D{{Key: "n", Value: 1}}))
			if err != nil {
				t.Fatalf("find: %v", err)
			}
			var found []struct{ N int }
			if err := cursor.All(ctx, &found); err != nil {
				t.Fatalf("find: %v", err)
			}
			if len(found) != 250 || found[249].N != 249 {
				t.Errorf("found: got %d, want 250 in order", len(found))
			}
			updated, err := users.UpdateMany(ctx, bson.D{{Key: "n", Value: bson.D{{Key: "$lt", Value: 10}}}},
				bson.D{{Key: "$set", Value: bson.D{{Key: "low", Value: true}}}})
			if err != nil || updated.ModifiedCount != 10 {
				t.Errorf("update: got %+v, %v", updated, err)
			}
			if n, err := users.CountDocuments(ctx, bson.D{{Key: "low", Value: true}}); err != nil || n != 10 {
				t.Errorf("count: got %d, %v", n, err)
			}
			if deleted, err := users.DeleteMany(ctx, bson.D{}); err != nil || deleted.DeletedCount != 250 {
				t.Errorf("delete: got %+v, %v", deleted, err)
			}
			if names, err := db.ListCollectionNames(ctx, bson.D{}); err != nil || len(names) != 1 {
				t.Errorf("collections: got %v, %v", names, err)
			}
		})
	}
}
