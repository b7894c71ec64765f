package ddltrack

import (
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// bsonOf reads a document in Extended JSON.
func bsonOf(t testing.TB, text string) bson.D {
	t.Helper()
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(text), false, &d); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return d
}

// mongoSchema reads collections: {name, type?, uuid?, options?, indexes?}.
func mongoSchema(t testing.TB, text string) []MongoCollection {
	t.Helper()
	var all []MongoCollection
	for _, item := range arrayOf(bsonOf(t, `{"all": `+text+`}`), "all") {
		d, _ := item.(bson.D)
		c := MongoCollection{Name: textOf(d, "name"), Type: textOf(d, "type"), UUID: textOf(d, "uuid"), Options: documentOf(d, "options")}
		if c.Type == "" {
			c.Type = mongoCollectionType
		}
		if c.UUID == "" && c.Type != mongoView {
			c.UUID = c.Name
		}
		for _, index := range arrayOf(d, "indexes") {
			spec, _ := index.(bson.D)
			c.Indexes = append(c.Indexes, spec)
		}
		all = append(all, c)
	}
	return all
}

func relaxed(t testing.TB, d bson.D) string {
	t.Helper()
	text, err := bson.MarshalExtJSON(d, false, false)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestMongoSchemasDifferByRunnableCommands is about what real MongoDB servers
// list; each case is a schema, another, and the commands between them with their
// reverses ("-" for none).
func TestMongoSchemasDifferByRunnableCommands(t *testing.T) {
	for _, test := range []struct {
		name, before, after string
		want, reverse       []string
	}{
		{"view", `[{"name": "c"}]`, `[{"name": "c"}, {"name": "v", "type": "view", "options": {"viewOn": "c", "pipeline": [{"$match": {"a": 1}}]}}]`,
			[]string{`{"create":"v","viewOn":"c","pipeline":[{"$match":{"a":1}}]}`}, []string{`{"drop":"v"}`}},
		{"view dropped", `[{"name": "v", "type": "view", "options": {"viewOn": "c", "pipeline": []}}]`, `[]`,
			[]string{`{"drop":"v"}`}, []string{`{"create":"v","viewOn":"c","pipeline":[]}`}},
		{"view changed", `[{"name": "v", "type": "view", "options": {"viewOn": "c", "pipeline": []}}]`, `[{"name": "v", "type": "view", "options": {"viewOn": "d", "pipeline": []}}]`,
			[]string{`{"collMod":"v","viewOn":"d","pipeline":[]}`}, []string{`{"collMod":"v","viewOn":"c","pipeline":[]}`}},
		{"validator set", `[{"name": "c"}]`, `[{"name": "c", "options": {"validator": {"x": {"$gt": 1}}}}]`,
			[]string{`{"collMod":"c","validator":{"x":{"$gt":1}}}`}, []string{`{"collMod":"c","validator":{}}`}},
		{"validator changed", `[{"name": "c", "options": {"validator": {"x": 1}, "validationLevel": "strict"}}]`, `[{"name": "c", "options": {"validator": {"x": 2}, "validationLevel": "moderate"}}]`,
			[]string{`{"collMod":"c","validator":{"x":2},"validationLevel":"moderate"}`}, []string{`{"collMod":"c","validator":{"x":1},"validationLevel":"strict"}`}},
		{"level that can't be unset", `[{"name": "c"}]`, `[{"name": "c", "options": {"validationLevel": "off"}}]`,
			[]string{`{"collMod":"c","validationLevel":"off"}`}, []string{"-"}},
		{"capped resized", `[{"name": "c", "options": {"capped": true, "size": 4096}}]`, `[{"name": "c", "options": {"capped": true, "size": 8192}}]`,
			[]string{`{"collMod":"c","cappedSize":8192}`}, []string{`{"collMod":"c","cappedSize":4096}`}},
		{"time series", `[]`, `[{"name": "t", "type": "timeseries", "options": {"timeseries": {"timeField": "at", "granularity": "seconds", "bucketMaxSpanSeconds": 3600}, "expireAfterSeconds": 60}}]`,
			[]string{`{"create":"t","timeseries":{"timeField":"at","granularity":"seconds","bucketMaxSpanSeconds":3600},"expireAfterSeconds":60}`}, []string{`{"drop":"t"}`}},
		{"granularity", `[{"name": "t", "type": "timeseries", "options": {"timeseries": {"timeField": "at", "granularity": "seconds"}}}]`, `[{"name": "t", "type": "timeseries", "options": {"timeseries": {"timeField": "at", "granularity": "hours"}}}]`,
			[]string{`{"collMod":"t","timeseries":{"granularity":"hours"}}`}, []string{"-"}},
		{"TTL changed", `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a", "expireAfterSeconds": 5}]}]`, `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a", "expireAfterSeconds": 6}]}]`,
			[]string{`{"collMod":"c","index":{"name":"a","expireAfterSeconds":6}}`}, []string{`{"collMod":"c","index":{"name":"a","expireAfterSeconds":5}}`}},
		{"TTL set", `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a"}]}]`, `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a", "expireAfterSeconds": 6}]}]`,
			[]string{`{"collMod":"c","index":{"name":"a","expireAfterSeconds":6}}`}, []string{"-"}},
		{"hidden", `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a"}]}]`, `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a", "hidden": true}]}]`,
			[]string{`{"collMod":"c","index":{"name":"a","hidden":true}}`}, []string{`{"collMod":"c","index":{"name":"a","hidden":false}}`}},
		{"index made anew", `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a"}]}]`, `[{"name": "c", "indexes": [{"key": {"b": 1}, "name": "a"}]}]`,
			[]string{`{"dropIndexes":"c","index":"a"}`, `{"createIndexes":"c","indexes":[{"key":{"b":1},"name":"a"}]}`},
			[]string{`{"createIndexes":"c","indexes":[{"key":{"a":1},"name":"a"}]}`, `{"dropIndexes":"c","index":"a"}`}},
		{"swap", `[{"name": "a", "uuid": "1"}, {"name": "b", "uuid": "2"}]`, `[{"name": "a", "uuid": "2"}, {"name": "b", "uuid": "1"}]`,
			[]string{`{"renameCollection":"db.a","to":"db.renaming"}`, `{"renameCollection":"db.b","to":"db.a"}`, `{"renameCollection":"db.renaming","to":"db.b"}`},
			[]string{`{"renameCollection":"db.renaming","to":"db.a"}`, `{"renameCollection":"db.a","to":"db.b"}`, `{"renameCollection":"db.b","to":"db.renaming"}`}},
		{"row of renames", `[{"name": "a", "uuid": "1"}, {"name": "b", "uuid": "2"}]`, `[{"name": "b", "uuid": "1"}, {"name": "c", "uuid": "2"}]`,
			[]string{`{"renameCollection":"db.b","to":"db.c"}`, `{"renameCollection":"db.a","to":"db.b"}`},
			[]string{`{"renameCollection":"db.c","to":"db.b"}`, `{"renameCollection":"db.b","to":"db.a"}`}},
		{"replaced by $out", `[{"name": "c", "uuid": "1", "options": {"validator": {"a": 1}}, "indexes": [{"key": {"a": 1}, "name": "a"}]}]`,
			`[{"name": "c", "uuid": "2", "options": {"validator": {"a": 1}}, "indexes": [{"key": {"a": 1}, "name": "a"}]}]`, nil, nil},
		{"replaced and changed", `[{"name": "c", "uuid": "1"}]`, `[{"name": "c", "uuid": "2", "options": {"validator": {"a": 1}}}]`,
			[]string{`{"collMod":"c","validator":{"a":1}}`}, []string{`{"collMod":"c","validator":{}}`}},
		{"replaced without its indexes", `[{"name": "c", "uuid": "1", "indexes": [{"key": {"a": 1}, "name": "a"}]}]`, `[{"name": "c", "uuid": "2"}]`,
			[]string{`{"dropIndexes":"c","index":"a"}`}, []string{`{"createIndexes":"c","indexes":[{"key":{"a":1},"name":"a"}]}`}},
		{"replaced by another", `[{"name": "c", "uuid": "1"}, {"name": "d", "uuid": "2"}]`, `[{"name": "c", "uuid": "2"}]`,
			[]string{`{"drop":"c"}`, `{"renameCollection":"db.d","to":"db.c"}`}, []string{"-", `{"renameCollection":"db.c","to":"db.d"}`}},
		{"replaced while it moves", `[{"name": "c", "uuid": "1"}]`, `[{"name": "c", "uuid": "2"}, {"name": "d", "uuid": "1"}]`,
			[]string{`{"renameCollection":"db.c","to":"db.d"}`, `{"create":"c"}`}, []string{`{"renameCollection":"db.d","to":"db.c"}`, `{"drop":"c"}`}},
		{"made anew in another way", `[{"name": "c", "uuid": "1"}]`, `[{"name": "c", "uuid": "2", "options": {"capped": true}}]`, []string{`{"drop":"c"}`, `{"create":"c","capped":true}`}, []string{"-", `{"drop":"c"}`}},
		{"capped made anew in another size", `[{"name": "c", "uuid": "1", "options": {"capped": true, "size": 4096}}]`, `[{"name": "c", "uuid": "2", "options": {"capped": true, "size": 8192}}]`,
			[]string{`{"drop":"c"}`, `{"create":"c","capped":true,"size":8192}`}, []string{"-", `{"drop":"c"}`}},
		{"number of another width", `[{"name": "c", "options": {"capped": true, "size": 4096}}]`, `[{"name": "c", "options": {"capped": true, "size": {"$numberLong": "4096"}}}]`, nil, nil},
		{"an index that does not inherit", `[{"name": "c", "options": {"collation": {"locale": "de"}}}]`, `[{"name": "c", "options": {"collation": {"locale": "de"}}, "indexes": [{"key": {"a": 1}, "name": "a"}]}]`,
			[]string{`{"createIndexes":"c","indexes":[{"key":{"a":1},"name":"a","collation":{"locale":"simple"}}]}`}, []string{`{"dropIndexes":"c","index":"a"}`}},
		{"clustered is for good", `[{"name": "c", "uuid": "1"}]`, `[{"name": "c", "uuid": "1", "options": {"collation": {"locale": "de"}}}]`, []string{`{"drop":"c"}`, `{"create":"c","collation":{"locale":"de"}}`}, []string{"-", `{"drop":"c"}`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got, reverse []string
			for _, c := range CompareMongo("db", mongoSchema(t, test.before), mongoSchema(t, test.after)) {
				got = append(got, relaxed(t, c.Command))
				if c.Reversible != (c.WhyNot == "") || c.Reversible != (c.Reverse != "") {
					t.Errorf("%s: reversible %t, reverse %q, because %q", relaxed(t, c.Command), c.Reversible, c.Reverse, c.WhyNot)
				}
				back := "-"
				if c.Reversible {
					back = relaxed(t, bsonOf(t, c.Reverse))
				}
				reverse = append(reverse, back)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(test.want, "\n\t"))
			}
			if !slices.Equal(reverse, test.reverse) {
				t.Errorf("got reverses\n\t%s\nwant\n\t%s", strings.Join(reverse, "\n\t"), strings.Join(test.reverse, "\n\t"))
			}
		})
	}
}

func TestMongoChangesNameWhatTheyNeed(t *testing.T) {
	after := mongoSchema(t, `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a_1", "unique": true}]},
		{"name": "v", "type": "view", "options": {"viewOn": "c", "pipeline": [{"$lookup": {"from": "d", "as": "x", "pipeline": [{"$unionWith": "e"}]}}, {"$facet": {"f": [{"$graphLookup": {"from": "g"}}]}}, {"$unionWith": {"coll": "h"}}]}}]`)
	changes := CompareMongo("db", nil, after)
	if len(changes) != 3 {
		t.Fatalf("got %+v", changes)
	}
	index, view := changes[1], changes[2]
	if index.Identity != "c.$a_1" || !slices.Equal(index.References, []string{"c"}) || index.ObjectType != "index" || len(index.Warnings) != 1 {
		t.Errorf("index: %+v", index.Description)
	}
	if want := []string{"c", "d", "e", "g", "h"}; view.Identity != "v" || !slices.Equal(view.References, want) {
		t.Errorf("view: %+v, want references %v", view.Description, want)
	}
}

// TestClientsWordsAreTakenWhereTheyAreWhatHappened has what was said, and what
// is noted of it.
func TestClientsWordsAreTakenWhereTheyAreWhatHappened(t *testing.T) {
	for _, test := range []struct {
		name, before, after string
		said                string
		want                []string
	}{
		{"rename onto another", `[{"name": "a", "uuid": "1"}, {"name": "b", "uuid": "2"}]`, `[{"name": "b", "uuid": "1"}]`,
			`{"renameCollection": "db.a", "to": "db.b", "dropTarget": true}`, []string{`{"renameCollection":"db.a","to":"db.b","dropTarget":true}`}},
		{"convert", `[{"name": "c", "uuid": "1"}]`, `[{"name": "c", "uuid": "2", "options": {"capped": true, "size": 4096}}]`,
			`{"convertToCapped": "c", "size": 4096}`, []string{`{"convertToCapped":"c","size":4096}`}},
		{"defaults filled in", `[]`, `[{"name": "c", "options": {"validator": {"a": 1}, "validationLevel": "strict", "validationAction": "error"}}]`,
			`{"create": "c", "validator": {"a": 1}, "capped": false}`, []string{`{"create":"c","validator":{"a":1},"capped":false}`}},
		{"size rounded", `[]`, `[{"name": "c", "options": {"capped": true, "size": 5120}}]`,
			`{"create": "c", "capped": true, "size": 5000}`, []string{`{"create":"c","capped":true,"size":5000}`}},
		{"another's size", `[]`, `[{"name": "c", "options": {"capped": true, "size": 8192}}]`,
			`{"create": "c", "capped": true, "size": 5000}`, []string{`{"create":"c","capped":true,"size":8192}`}},
		{"collation completed", `[]`, `[{"name": "c", "options": {"collation": {"locale": "de", "strength": 3}}}]`,
			`{"create": "c", "collation": {"locale": "de"}}`, []string{`{"create":"c","collation":{"locale":"de"}}`}},
		{"time series completed", `[]`, `[{"name": "t", "type": "timeseries", "options": {"timeseries": {"timeField": "at", "granularity": "seconds", "bucketMaxSpanSeconds": 3600}}}]`,
			`{"create": "t", "timeseries": {"timeField": "at"}}`, []string{`{"create":"t","timeseries":{"timeField":"at"}}`}},
		{"an option that did not take", `[]`, `[{"name": "c"}]`, `{"create": "c", "storageEngine": {"x": 1}}`, []string{`{"create":"c"}`}},
		{"a failed create", `[]`, `[{"name": "c"}]`, `{"create": "c", "capped": true, "size": 4096}`, []string{`{"create":"c"}`}},
		{"a failed create, and the validation of another", `[]`, `[{"name": "c", "options": {"validationLevel": "strict", "validationAction": "warn"}}]`,
			`{"create": "c"}`, []string{`{"create":"c","validationLevel":"strict","validationAction":"warn"}`}},
		{"a failed create, and what a validator left of another", `[]`, `[{"name": "c", "options": {"validationLevel": "strict", "validationAction": "error"}}]`,
			`{"create": "c"}`, []string{`{"create":"c","validationLevel":"strict","validationAction":"error"}`}},
		{"a failed create, and a validator that only warns", `[]`, `[{"name": "c", "options": {"validator": {"a": 1}, "validationLevel": "strict", "validationAction": "warn"}}]`,
			`{"create": "c", "validator": {"a": 1}}`, []string{`{"create":"c","validator":{"a":1},"validationLevel":"strict","validationAction":"warn"}`}},
		{"a failed create, and a clustered collection", `[]`, `[{"name": "c", "options": {"clusteredIndex": {"v": 2, "key": {"_id": 1}, "name": "_id_", "unique": true}}}]`,
			`{"create": "c"}`, []string{`{"create":"c","clusteredIndex":{"v":2,"key":{"_id":1},"name":"_id_","unique":true}}`}},
		{"text index", `[{"name": "c"}]`, `[{"name": "c", "indexes": [{"key": {"_fts": "text", "_ftsx": 1}, "name": "t", "weights": {"a": 1}, "default_language": "english"}]}]`,
			`{"createIndexes": "c", "indexes": [{"key": {"a": "text"}, "name": "t"}]}`, []string{`{"createIndexes":"c","indexes":[{"key":{"a":"text"},"name":"t"}]}`}},
		{"only one of two indexes", `[{"name": "c"}]`, `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a"}]}]`,
			`{"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a"}, {"key": {"b": 1}, "name": "b"}]}`, []string{`{"createIndexes":"c","indexes":[{"key":{"a":1},"name":"a"}]}`}},
		{"another index of that name", `[{"name": "c"}]`, `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "i"}]}]`,
			`{"createIndexes": "c", "indexes": [{"key": {"b": 1}, "name": "i"}]}`, []string{`{"createIndexes":"c","indexes":[{"key":{"a":1},"name":"i"}]}`}},
		{"all indexes", `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a"}, {"key": {"b": 1}, "name": "b"}]}]`, `[{"name": "c"}]`,
			`{"deleteIndexes": "c", "index": "*"}`, []string{`{"deleteIndexes":"c","index":"*"}`}},
		{"not all indexes", `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a"}, {"key": {"b": 1}, "name": "b"}]}]`, `[{"name": "c", "indexes": [{"key": {"b": 1}, "name": "b"}]}]`,
			`{"dropIndexes": "c", "index": "*"}`, []string{`{"dropIndexes":"c","index":"a"}`}},
		{"another key", `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a"}]}]`, `[{"name": "c"}]`, `{"dropIndexes": "c", "index": {"b": 1}}`, []string{`{"dropIndexes":"c","index":"a"}`}},
		{"list of indexes", `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a"}, {"key": {"b": 1}, "name": "b"}]}]`, `[{"name": "c"}]`,
			`{"dropIndexes": "c", "index": ["b", "a"]}`, []string{`{"dropIndexes":"c","index":["b","a"]}`}},
		{"collMod", `[{"name": "c"}]`, `[{"name": "c", "options": {"validator": {"a": 1}, "validationLevel": "strict"}}]`,
			`{"collMod": "c", "validator": {"a": 1}, "validationLevel": "strict"}`, []string{`{"collMod":"c","validator":{"a":1},"validationLevel":"strict"}`}},
		{"another's collMod", `[{"name": "c"}]`, `[{"name": "c", "options": {"validator": {"a": 1}}}]`, `{"collMod": "c", "validator": {"a": 2}}`, []string{`{"collMod":"c","validator":{"a":1}}`}},
		{"collMod by key", `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a"}]}]`, `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a", "hidden": true}]}]`,
			`{"collMod": "c", "index": {"keyPattern": {"a": 1}, "hidden": true}}`, []string{`{"collMod":"c","index":{"keyPattern":{"a":1},"hidden":true}}`}},
		{"a failed create, and a time series of another", `[]`, `[{"name": "t", "type": "timeseries", "options": {"timeseries": {"timeField": "at", "metaField": "m", "granularity": "seconds", "bucketMaxSpanSeconds": 3600}}}]`,
			`{"create": "t", "timeseries": {"timeField": "at"}}`, []string{`{"create":"t","timeseries":{"timeField":"at","metaField":"m","granularity":"seconds","bucketMaxSpanSeconds":3600}}`}},
		{"a failed create, and a coarser time series of another", `[]`, `[{"name": "t", "type": "timeseries", "options": {"timeseries": {"timeField": "at", "granularity": "hours", "bucketMaxSpanSeconds": 2592000}}}]`,
			`{"create": "t", "timeseries": {"timeField": "at"}}`, []string{`{"create":"t","timeseries":{"timeField":"at","granularity":"hours","bucketMaxSpanSeconds":2592000}}`}},
		{"a coarse time series completed", `[]`, `[{"name": "t", "type": "timeseries", "options": {"timeseries": {"timeField": "at", "granularity": "hours", "bucketMaxSpanSeconds": 2592000}}}]`,
			`{"create": "t", "timeseries": {"timeField": "at", "granularity": "hours"}}`, []string{`{"create":"t","timeseries":{"timeField":"at","granularity":"hours"}}`}},
		{"a failed create, and a collation of another", `[]`, `[{"name": "c", "options": {"collation": {"locale": "de", "caseLevel": false, "strength": 1, "version": "57.1"}}}]`,
			`{"create": "c", "collation": {"locale": "de"}}`, []string{`{"create":"c","collation":{"locale":"de","caseLevel":false,"strength":1,"version":"57.1"}}`}},
		{"a failed convert, and another made anew", `[{"name": "c", "uuid": "1"}]`, `[{"name": "c", "uuid": "2", "options": {"capped": true, "size": 8192}}]`,
			`{"convertToCapped": "c", "size": 4096}`, []string{`{"drop":"c"}`, `{"create":"c","capped":true,"size":8192}`}},
		{"a failed convert, and another made anew with more", `[{"name": "c", "uuid": "1"}]`, `[{"name": "c", "uuid": "2", "options": {"capped": true, "size": 4096, "max": 5}}]`,
			`{"convertToCapped": "c", "size": 4096}`, []string{`{"drop":"c"}`, `{"create":"c","capped":true,"size":4096,"max":5}`}},
		{"convert, with a size that is rounded and the options kept", `[{"name": "c", "uuid": "1", "options": {"validator": {"a": 1}}}]`, `[{"name": "c", "uuid": "2", "options": {"validator": {"a": 1}, "capped": true, "size": 5120}}]`,
			`{"convertToCapped": "c", "size": 5000}`, []string{`{"convertToCapped":"c","size":5000}`}},
		{"a failed index, and one of another with more", `[{"name": "c"}]`, `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a_1", "expireAfterSeconds": 60}]}]`,
			`{"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a_1"}]}`, []string{`{"createIndexes":"c","indexes":[{"key":{"a":1},"name":"a_1","expireAfterSeconds":60}]}`}},
		{"a failed index, and a sparse one of another", `[{"name": "c"}]`, `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a_1", "sparse": true}]}]`,
			`{"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a_1"}]}`, []string{`{"createIndexes":"c","indexes":[{"key":{"a":1},"name":"a_1","sparse":true}]}`}},
		{"a failed index with a collation", `[{"name": "c"}]`, `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a_1"}]}]`,
			`{"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a_1", "collation": {"locale": "de"}}]}`, []string{`{"createIndexes":"c","indexes":[{"key":{"a":1},"name":"a_1"}]}`}},
		{"a failed index without the collation of another", `[{"name": "c"}]`, `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a_1", "collation": {"locale": "de", "strength": 3}}]}]`,
			`{"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a_1"}]}`, []string{`{"createIndexes":"c","indexes":[{"key":{"a":1},"name":"a_1","collation":{"locale":"de","strength":3}}]}`}},
		{"an index with its collection's collation", `[{"name": "c", "options": {"collation": {"locale": "de", "strength": 3}}}]`,
			`[{"name": "c", "options": {"collation": {"locale": "de", "strength": 3}}, "indexes": [{"key": {"a": 1}, "name": "a_1", "collation": {"locale": "de", "strength": 3}}]}]`,
			`{"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a_1"}]}`, []string{`{"createIndexes":"c","indexes":[{"key":{"a":1},"name":"a_1"}]}`}},
		{"an index with the simple collation", `[{"name": "c", "options": {"collation": {"locale": "de", "strength": 3}}}]`,
			`[{"name": "c", "options": {"collation": {"locale": "de", "strength": 3}}, "indexes": [{"key": {"a": 1}, "name": "a_1"}]}]`,
			`{"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a_1", "collation": {"locale": "simple"}}]}`,
			[]string{`{"createIndexes":"c","indexes":[{"key":{"a":1},"name":"a_1","collation":{"locale":"simple"}}]}`}},
		{"an index's collation completed", `[{"name": "c"}]`, `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a_1", "collation": {"locale": "de", "strength": 3}}]}]`,
			`{"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a_1", "collation": {"locale": "de"}}]}`,
			[]string{`{"createIndexes":"c","indexes":[{"key":{"a":1},"name":"a_1","collation":{"locale":"de"}}]}`}},
		{"a failed text index of other fields", `[{"name": "c"}]`, `[{"name": "c", "indexes": [{"key": {"_fts": "text", "_ftsx": 1}, "name": "t", "weights": {"a": 1}, "default_language": "english", "language_override": "language", "textIndexVersion": 3}]}]`,
			`{"createIndexes": "c", "indexes": [{"key": {"b": "text"}, "name": "t"}]}`,
			[]string{`{"createIndexes":"c","indexes":[{"key":{"_fts":"text","_ftsx":1},"name":"t","weights":{"a":1},"default_language":"english","language_override":"language","textIndexVersion":3}]}`}},
		{"a failed text index of another weight", `[{"name": "c"}]`, `[{"name": "c", "indexes": [{"key": {"_fts": "text", "_ftsx": 1}, "name": "t", "weights": {"a": 1}, "default_language": "english"}]}]`,
			`{"createIndexes": "c", "indexes": [{"key": {"a": "text"}, "name": "t", "weights": {"a": 5}}]}`,
			[]string{`{"createIndexes":"c","indexes":[{"key":{"_fts":"text","_ftsx":1},"name":"t","weights":{"a":1},"default_language":"english"}]}`}},
		{"a failed text index of another language", `[{"name": "c"}]`, `[{"name": "c", "indexes": [{"key": {"_fts": "text", "_ftsx": 1}, "name": "t", "weights": {"a": 1}, "default_language": "german"}]}]`,
			`{"createIndexes": "c", "indexes": [{"key": {"a": "text"}, "name": "t"}]}`,
			[]string{`{"createIndexes":"c","indexes":[{"key":{"_fts":"text","_ftsx":1},"name":"t","weights":{"a":1},"default_language":"german"}]}`}},
		{"a text index among other keys", `[{"name": "c"}]`, `[{"name": "c", "indexes": [{"key": {"k": 1, "_fts": "text", "_ftsx": 1, "z": -1}, "name": "t", "weights": {"a": 1, "b": 9}, "default_language": "english", "language_override": "language", "textIndexVersion": 3}]}]`,
			`{"createIndexes": "c", "indexes": [{"key": {"k": 1, "b": "text", "a": "text", "z": -1}, "name": "t", "weights": {"b": 9}}]}`,
			[]string{`{"createIndexes":"c","indexes":[{"key":{"k":1,"b":"text","a":"text","z":-1},"name":"t","weights":{"b":9}}]}`}},
		{"a failed collMod of an index, with more", `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a"}]}]`, `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a", "hidden": true}]}]`,
			`{"collMod": "c", "index": {"name": "a", "hidden": true, "expireAfterSeconds": 5}}`, []string{`{"collMod":"c","index":{"name":"a","hidden":true}}`}},
		{"a collMod of another key", `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a"}, {"key": {"b": 1}, "name": "b", "hidden": true}]}]`,
			`[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a", "hidden": true}, {"key": {"b": 1}, "name": "b", "hidden": true}]}]`,
			`{"collMod": "c", "index": {"keyPattern": {"b": 1}, "hidden": true}}`, []string{`{"collMod":"c","index":{"name":"a","hidden":true}}`}},
		{"collMod of nothing", `[{"name": "c"}]`, `[{"name": "c", "options": {"validationLevel": "strict", "validationAction": "error"}}]`,
			`{"collMod": "c"}`, []string{`{"collMod":"c","validationLevel":"strict","validationAction":"error"}`}},
		{"of another collection", `[]`, `[{"name": "c"}]`, `{"create": "d"}`, []string{`{"create":"c"}`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			before, after := mongoSchema(t, test.before), mongoSchema(t, test.after)
			var got []string
			for _, c := range InClientsWords("db", before, after, CompareMongo("db", before, after), []bson.D{bsonOf(t, test.said)}) {
				got = append(got, relaxed(t, c.Command))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(test.want, "\n\t"))
			}
		})
	}
}

// TestWordsOfSeveralAreToldApart has which of the commands that were said, by
// their number, each change is of.
func TestWordsOfSeveralAreToldApart(t *testing.T) {
	for _, test := range []struct {
		name, before, after string
		said                []string
		want                []int
	}{
		{"what createIndexes made", `[]`, `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a"}]}]`,
			[]string{`{"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a"}]}`}, []int{0, 0}},
		{"a create, and an index", `[]`, `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a"}]}]`,
			[]string{`{"create": "c"}`, `{"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a"}]}`}, []int{0, 1}},
		{"a capped one that nobody said, and an index", `[]`, `[{"name": "c", "options": {"capped": true, "size": 4096}, "indexes": [{"key": {"a": 1}, "name": "a"}]}]`,
			[]string{`{"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a"}]}`}, []int{-1, 0}},
		{"an index, and one of its name that failed", `[{"name": "c"}]`, `[{"name": "c", "indexes": [{"key": {"a": 1}, "name": "a", "sparse": true}]}]`,
			[]string{`{"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a", "sparse": true}]}`, `{"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a"}]}`}, []int{0}},
		{"dropDatabase", `[{"name": "c", "uuid": "1"}, {"name": "d", "uuid": "2"}]`, `[{"name": "d", "uuid": "3", "options": {"capped": true}}]`,
			[]string{`{"dropDatabase": 1}`, `{"create": "d", "capped": true}`}, []int{0, 0, 1}},
		{"a dropDatabase that failed", `[{"name": "c", "uuid": "1"}, {"name": "d", "uuid": "2"}, {"name": "e", "uuid": "3"}]`, `[{"name": "e", "uuid": "3"}]`,
			[]string{`{"dropDatabase": 1}`}, []int{-1, -1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			before, after := mongoSchema(t, test.before), mongoSchema(t, test.after)
			var said []bson.D
			for _, text := range test.said {
				said = append(said, bsonOf(t, text))
			}
			var got []int
			for _, c := range InClientsWords("db", before, after, CompareMongo("db", before, after), said) {
				got = append(got, c.Said)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestMongoCommandsAreShownAsMongoshTakesThem(t *testing.T) {
	for _, test := range []struct{ command, want string }{
		{`{"create": "c"}`, `db.createCollection("c")`},
		{`{"create": "c", "capped": true, "size": {"$numberLong": "4096"}}`, `db.createCollection("c", {capped: true, size: NumberLong("4096")})`},
		{`{"create": "v", "viewOn": "c", "pipeline": [{"$match": {"a.b": {"$gt": 1.5}}}], "collation": {"locale": "de"}}`, `db.createView("v", "c", [{$match: {"a.b": {$gt: 1.5}}}], {collation: {locale: "de"}})`},
		{`{"createIndexes": "c d", "indexes": [{"key": {"a": 1, "b": -1}, "name": "x", "unique": true}]}`, `db.getCollection("c d").createIndex({a: 1, b: -1}, {name: "x", unique: true})`},
		{`{"dropIndexes": "c", "index": ["a", "b"]}`, `db.c.dropIndexes(["a", "b"])`},
		{`{"drop": "c\"\n"}`, `db.getCollection("c\"\n").drop()`},
		{`{"renameCollection": "db.a.x", "to": "db.b.y"}`, `db.getCollection("a.x").renameCollection("b.y")`},
		{`{"renameCollection": "db.a", "to": "db.b", "dropTarget": true}`, `db.a.renameCollection("b", true)`},
		{`{"dropDatabase": 1}`, `db.dropDatabase()`},
		{`{"collMod": "c", "validator": {"t": {"$type": "int"}, "__proto__": 1}}`, `db.runCommand({collMod: "c", validator: {t: {$type: "int"}, ["__proto__"]: 1}})`},
		{`{"create": "c", "validator": {"a": {"$oid": "0123456789abcdef01234567"}, "b": {"$date": "2024-01-02T03:04:05Z"}, "c": {"$numberDecimal": "1.5"}, "d": {"$binary": {"base64": "AQ==", "subType": "00"}}, "e": {"$regularExpression": {"pattern": "a/b", "options": "i"}}, "f": {"$timestamp": {"t": 1, "i": 2}}, "g": {"$minKey": 1}, "h": {"$numberDouble": "3"}, "i": null, "j": {"$binary": {"base64": "ABEiM0RVZneImaq7zN3u/w==", "subType": "04"}}}}`,
			`db.createCollection("c", {validator: {a: ObjectId("0123456789abcdef01234567"), b: ISODate("2024-01-02T03:04:05.000Z"), c: NumberDecimal("1.5"), d: BinData(0, "AQ=="), e: BSONRegExp("a/b", "i"), f: Timestamp({t: 1, i: 2}), g: MinKey(), h: Double(3), i: null, j: UUID("00112233-4455-6677-8899-aabbccddeeff")}})`},
	} {
		if got := MongoShell(bsonOf(t, test.command)); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

func TestMongoCommandsThatMayChangeASchemaAreKnown(t *testing.T) {
	for text, want := range map[string][2]bool{
		`{"create": "c"}`: {true, false}, `{"find": "c"}`: {}, `{"insert": "c"}`: {false, true}, `{"dropDatabase": 1}`: {true, false},
		`{"aggregate": "c", "pipeline": [{"$match": {}}, {"$out": "x"}]}`: {false, true}, `{"aggregate": "c", "pipeline": [{"$match": {}}]}`: {},
		`{"aggregate": "c", "pipeline": [{"$merge": {"into": "x"}}]}`: {false, true}, `{"delete": "c"}`: {}, `{"bulkWrite": 1}`: {false, true},
	} {
		explicit, implicit := MayChangeMongoSchema(bsonOf(t, text))
		if got := [2]bool{explicit, implicit}; got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

func TestMongoStatementsLeaveTheirSessionOut(t *testing.T) {
	command, err := ParseMongoCommand(`{"create": "c", "lsid": {"id": 1}, "$db": "x", "$clusterTime": {}, "writeConcern": {"w": 1}, "comment": "c", "capped": true, "size": 1, "maxTimeMS": 5}`)
	if err != nil {
		t.Fatal(err)
	}
	if got := relaxed(t, command); got != `{"create":"c","capped":true,"size":1}` {
		t.Errorf("got %s", got)
	}
	moved, err := MongoStatementFor(`{"renameCollection": "one.a.b", "to": "one.c"}`, "two")
	if err != nil || moved != `{"renameCollection":"two.a.b","to":"two.c"}` {
		t.Errorf("got %s, %v", moved, err)
	}
	for _, text := range []string{``, `{}`, `[]`, `{"a": `, `{"a": {"$oid": "x"}}`} {
		if _, err := ParseMongoCommand(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestMongoIndexesAreListedWithoutTheServersOwn(t *testing.T) {
	for listed, want := range map[string]string{
		`{"v": 2, "key": {"_id": 1}, "name": "_id_"}`:                                     "",
		`{"v": 2, "key": {"_id": 1}, "name": "by id", "unique": true, "clustered": true}`: "",
		`{"v": 2, "key": {"a": 1}, "name": "a", "ns": "db.c", "sparse": true}`:            `{"key":{"a":1},"name":"a","sparse":true}`,
	} {
		spec, ok := MongoIndexSpec(bsonOf(t, listed))
		if ok != (want != "") || ok && relaxed(t, spec) != want {
			t.Errorf("%s: got %v %t, want %s", listed, spec, ok, want)
		}
	}
}

func FuzzParseMongoCommand(f *testing.F) {
	f.Add(`{"create": "c", "validator": {"$jsonSchema": {}}}`)
	f.Add(`{"renameCollection": "a.b", "to": "a.c"}`)
	f.Add(`{"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a"}, 5]}`)
	f.Fuzz(func(t *testing.T, text string) {
		command, err := ParseMongoCommand(text)
		if err != nil {
			return
		}
		MayChangeMongoSchema(command)
		MongoShells(MongoCommandFor(command, "db"))
		changes := CompareMongo("db", nil, []MongoCollection{{Name: "c", Type: mongoCollectionType, Options: command[1:]}})
		InClientsWords("db", nil, nil, changes, []bson.D{command})
	})
}
