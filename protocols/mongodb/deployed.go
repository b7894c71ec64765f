package mongodb

import (
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// maxIndexBytes bounds a command that might be one of GridFS's, which have some
// hundred bytes. What is longer is not decoded.
const maxIndexBytes = 16 << 10

// schemaFixed refuses a command that would change the schema of a tenant's database.
// It is the same in a transaction, which goes on without it. Of a pipeline only
// the stage that writes is decoded.
func schemaFixed(q *request, c *command) *failure {
	switch c.change {
	case changesSchema:
		return asFailure(fixedCommand(q.body))
	case mayWriteOut:
		return asFailure(everyNamed(q.body, "pipeline", func(pipeline element) error {
			if !pipeline.nested() {
				return nil // the server refuses it
			}
			w, err := document(pipeline.value)
			for err == nil && w.more() {
				var stage element
				if stage, err = w.next(); err == nil && stage.kind == typeDocument {
					err = fixedStage(stage.value)
				}
			}
			return err
		}))
	}
	return nil
}

// fixedStage looks at one stage as if it were all of an aggregate.
func fixedStage(stage []byte) error {
	out, err := lookup(stage, "$out")
	if err != nil || out.kind != typeDocument {
		return err
	}
	return fixedCommand(bsoncore.NewDocumentBuilder().AppendString("aggregate", "").
		AppendArray("pipeline", bsoncore.NewArrayBuilder().AppendDocument(stage).Build()).Build())
}

// fixedCommand is an error for a command that would change the schema.
func fixedCommand(body []byte) error {
	if len(body) > maxIndexBytes {
		return unauthorized(workspace.NoDDL)
	}
	// The decoder relies on what is nested being well-formed.
	if err := every(body, 1, func(element) error { return nil }); err != nil {
		return err
	}
	var command bson.D
	if err := bson.Unmarshal(body, &command); err != nil {
		return err
	}
	if ddltrack.ChangesMongoSchema(command) {
		return unauthorized(workspace.NoDDL)
	}
	return nil
}
