package ddltrack

import "testing"

// TestWhatChangesTheSchemaOfATenantsDatabase is about what its clients may not
// send.
func TestWhatChangesTheSchemaOfATenantsDatabase(t *testing.T) {
	for _, test := range []struct {
		command string
		want    bool
	}{
		{`{"create": "a"}`, true},
		{`{"create": "v", "viewOn": "a", "pipeline": []}`, true},
		{`{"collMod": "a", "validator": {}}`, true},
		{`{"drop": "a"}`, true},
		{`{"dropDatabase": 1}`, true},
		{`{"createIndexes": "a", "indexes": [{"key": {"x": 1}, "name": "x_1"}]}`, true},
		{`{"createIndexes": "a"}`, true},
		{`{"dropIndexes": "a", "index": "*"}`, true},
		{`{"deleteIndexes": "a", "index": "*"}`, true},
		{`{"renameCollection": "d.a", "to": "d.b"}`, true},
		{`{"convertToCapped": "a", "size": 4096}`, true},
		{`{"cloneCollectionAsCapped": "a", "toCollection": "b", "size": 4096}`, true},
		{`{"createSearchIndexes": "a", "indexes": []}`, true},
		{`{"updateSearchIndex": "a", "name": "i"}`, true},
		{`{"dropSearchIndex": "a", "name": "i"}`, true},
		{`{"insert": "a", "documents": [{}]}`, false},
		{`{"update": "a", "updates": []}`, false},
		{`{"findAndModify": "a", "upsert": true}`, false},
		{`{"bulkWrite": 1, "ops": [], "nsInfo": []}`, false},
		{`{"mapReduce": "a", "out": "b"}`, false},
		{`{"find": "a"}`, false},
		{`{"aggregate": "a", "pipeline": [{"$out": "b"}]}`, false},
		{`{"aggregate": "a", "pipeline": [{"$out": {"db": "d", "coll": "b"}}]}`, false},
		{`{"aggregate": "a", "pipeline": [{"$merge": {"into": "b"}}]}`, false},
		{`{"aggregate": "a", "pipeline": [{"$match": {"timeseries": 1}}, {"$out": {"db": "d", "coll": "b", "timeseries": {"timeField": "at"}}}]}`, true},
		{`{"aggregate": "a", "pipeline": [{"$match": {"timeseries": 1}}, {"$out": "b"}]}`, false},
		{`{}`, false},

		// GridFS, by the drivers for Go, Java and Python, and by that for Node.
		{`{"createIndexes": "fs.files", "indexes": [{"key": {"filename": 1, "uploadDate": 1}, "name": "filename_1_uploadDate_1"}]}`, false},
		{`{"createIndexes": "fs.chunks", "indexes": [{"key": {"files_id": 1, "n": 1}, "name": "files_id_1_n_1", "unique": true}]}`, false},
		{`{"createIndexes": "fs.files", "indexes": [{"name": "filename_1_uploadDate_1", "key": {"filename": 1, "uploadDate": 1}, "background": false}], "writeConcern": {"w": 1}, "comment": "x"}`, false},
		{`{"createIndexes": "my.photos.chunks", "indexes": [{"name": "files_id_1_n_1", "key": {"files_id": {"$numberLong": "1"}, "n": 1.0}, "unique": true, "background": false}]}`, false},
		{`{"createIndexes": ".files", "indexes": [{"key": {"filename": 1, "uploadDate": 1}, "name": "filename_1_uploadDate_1"}]}`, true},
		{`{"createIndexes": "files", "indexes": [{"key": {"filename": 1, "uploadDate": 1}, "name": "filename_1_uploadDate_1"}]}`, true},
		{`{"createIndexes": "fs.chunks", "indexes": [{"key": {"filename": 1, "uploadDate": 1}, "name": "filename_1_uploadDate_1"}]}`, true},
		{`{"createIndexes": "fs.files", "indexes": [{"key": {"filename": 1, "uploadDate": 1}, "name": "filename_1_uploadDate_1", "unique": true}]}`, true},
		{`{"createIndexes": "fs.chunks", "indexes": [{"key": {"files_id": 1, "n": 1}, "name": "files_id_1_n_1"}]}`, true},
		{`{"createIndexes": "fs.chunks", "indexes": [{"key": {"files_id": 1, "n": -1}, "name": "files_id_1_n_1", "unique": true}]}`, true},
		{`{"createIndexes": "fs.chunks", "indexes": [{"key": {"n": 1, "files_id": 1}, "name": "files_id_1_n_1", "unique": true}]}`, true},
		{`{"createIndexes": "fs.chunks", "indexes": [{"key": {"files_id": 1, "n": 1}, "name": "mine", "unique": true}]}`, true},
		{`{"createIndexes": "fs.files", "indexes": [{"key": {"filename": 1, "uploadDate": 1}, "name": "filename_1_uploadDate_1", "expireAfterSeconds": 1}]}`, true},
		{`{"createIndexes": "fs.files", "indexes": [{"key": {"filename": 1, "uploadDate": 1}, "key": {"x": 1}, "name": "filename_1_uploadDate_1"}]}`, true},
		{`{"createIndexes": "fs.files", "indexes": [{"key": {"filename": 1, "uploadDate": 1}, "name": "filename_1_uploadDate_1"}, {"key": {"x": 1}, "name": "x_1"}]}`, true},
		{`{"createIndexes": "fs.files", "indexes": [{"key": {"filename": 1, "uploadDate": 1}, "name": "filename_1_uploadDate_1"}], "indexes": [{"key": {"x": 1}, "name": "x_1"}]}`, true},
	} {
		t.Run(test.command, func(t *testing.T) {
			if got := ChangesMongoSchema(bsonOf(t, test.command)); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}
