package ddltrack

import (
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// ChangesMongoSchema says whether a command is there to change the schema, which
// of a tenant's database only deployments may. What makes a collection by
// writing to it is not, as long as it gives it no options; neither are the
// indexes with which GridFS makes its buckets.
func ChangesMongoSchema(command bson.D) bool {
	name, _ := MongoNameAndTarget(command)
	if name == "aggregate" {
		return makesTimeSeries(command)
	}
	return slices.Contains(MongoSchemaCommands(), name) && !isBucketIndex(command)
}

// makesTimeSeries says whether an aggregate's $out gives its collection the
// options of a time series.
func makesTimeSeries(command bson.D) bool {
	for _, e := range command {
		stages, _ := e.Value.(bson.A)
		if e.Key == "pipeline" && slices.ContainsFunc(stages, outIsTimeSeries) {
			return true
		}
	}
	return false
}

func outIsTimeSeries(stage any) bool {
	d, _ := stage.(bson.D)
	for _, e := range d {
		out, _ := e.Value.(bson.D)
		if _, is := fieldOf(out, "timeseries"); is && e.Key == "$out" {
			return true
		}
	}
	return false
}

// isBucketIndex says whether a createIndexes is one of the two that drivers send
// before the first upload to a GridFS bucket, and nothing more:
// https://github.com/mongodb/specifications/blob/master/source/gridfs/gridfs-spec.md#before-write-operations
func isBucketIndex(command bson.D) bool {
	command = MongoCommand(command)
	specs := arrayOf(command, "indexes")
	if len(command) != 2 || command[0].Key != "createIndexes" || len(specs) != 1 {
		return false
	}
	spec, _ := specs[0].(bson.D)
	_, collection := MongoNameAndTarget(command)
	if bucket, ok := strings.CutSuffix(collection, ".files"); ok && bucket != "" {
		return isIndexAlone(spec, "filename_1_uploadDate_1", false, "filename", "uploadDate")
	}
	bucket, ok := strings.CutSuffix(collection, ".chunks")
	return ok && bucket != "" && isIndexAlone(spec, "files_id_1_n_1", true, "files_id", "n")
}

// isIndexAlone says whether an index is an ascending one on those fields, with
// that name and no other options. Drivers send numbers of any width, and some a
// background that servers ignore.
func isIndexAlone(spec bson.D, name string, unique bool, fields ...string) bool {
	seen := map[string]bool{}
	for _, e := range spec {
		if seen[e.Key] {
			return false
		}
		seen[e.Key] = true
		switch e.Key {
		case "name", "key", "unique", "background":
		default:
			return false
		}
	}
	key := documentOf(spec, "key")
	return textOf(spec, "name") == name && truthOf(spec, "unique") == unique &&
		slices.EqualFunc(key, fields, func(e bson.E, field string) bool {
			n, ok := numberOf(e.Value)
			return ok && n == 1 && e.Key == field
		})
}
