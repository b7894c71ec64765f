package ddltrack

import "testing"

// TestWhetherAnInterruptedCommandTookEffect has a node that stopped after it
// sent a command, and clients who went on writing.
func TestWhetherAnInterruptedCommandTookEffect(t *testing.T) {
	const (
		a        = `{"name": "a", "uuid": "1"}`
		indexed  = `{"name": "a", "uuid": "1", "indexes": [{"key": {"x": 1}, "name": "x_1"}, {"key": {"y": 1}, "name": "y_1"}]}`
		lessX    = `{"name": "a", "uuid": "1", "indexes": [{"key": {"y": 1}, "name": "y_1"}]}`
		rename   = `{"renameCollection": "d.a", "to": "d.b"}`
		view     = `{"name": "a", "type": "view", "options": {"viewOn": "c", "pipeline": []}}`
		capped   = `{"name": "a", "uuid": "2", "options": {"capped": true, "size": 4096}}`
		validate = `{"create": "a", "validator": {"x": 1}}`
	)
	for _, test := range []struct {
		name, command, before, now string
		want                       bool
	}{
		{"create, not yet", `{"create": "a"}`, `[]`, `[]`, false},
		{"create, done, or made by a write", `{"create": "a"}`, `[]`, `[` + a + `]`, true},
		{"create, there with the indexes of GridFS", `{"create": "a"}`, `[` + indexed + `]`, `[` + indexed + `]`, true},
		{"create, a write made another", validate, `[]`, `[` + a + `]`, false},
		{"create, done with what the server adds", validate, `[]`, `[{"name": "a", "options": {"validator": {"x": 1}, "validationLevel": "strict", "validationAction": "error"}}]`, true},
		{"create, there with options that are not asked for", `{"create": "a"}`, `[]`, `[{"name": "a", "options": {"validator": {"x": 1}}}]`, false},
		{"create, view", `{"create": "a", "viewOn": "c", "pipeline": []}`, `[]`, `[` + view + `]`, true},
		{"drop, not yet", `{"drop": "a"}`, `[` + a + `]`, `[` + a + `]`, false},
		{"drop, done", `{"drop": "a"}`, `[` + a + `]`, `[]`, true},
		{"drop, done and made anew by a write", `{"drop": "a"}`, `[` + a + `]`, `[{"name": "a", "uuid": "2"}]`, true},
		{"drop, there was none and a write made one", `{"drop": "a"}`, `[]`, `[` + a + `]`, false},
		{"drop, view, not yet", `{"drop": "a"}`, `[` + view + `]`, `[` + view + `]`, false},
		{"drop, view, done and a write made a collection", `{"drop": "a"}`, `[` + view + `]`, `[` + a + `]`, true},
		{"rename, not yet", rename, `[` + a + `]`, `[` + a + `]`, false},
		{"rename, done", rename, `[` + a + `]`, `[{"name": "b", "uuid": "1"}]`, true},
		{"rename, done and the old name made anew by a write", rename, `[` + a + `]`, `[{"name": "a", "uuid": "2"}, {"name": "b", "uuid": "1"}]`, true},
		{"rename, not yet and a write made the new name", rename, `[` + a + `]`, `[` + a + `, {"name": "b", "uuid": "2"}]`, false},
		{"dropIndexes, not yet", `{"dropIndexes": "a", "index": "x_1"}`, `[` + indexed + `]`, `[` + indexed + `]`, false},
		{"dropIndexes, done", `{"dropIndexes": "a", "index": "x_1"}`, `[` + indexed + `]`, `[` + lessX + `]`, true},
		{"dropIndexes by key, done", `{"dropIndexes": "a", "index": {"x": 1}}`, `[` + indexed + `]`, `[` + lessX + `]`, true},
		{"dropIndexes of two, one done", `{"dropIndexes": "a", "index": ["x_1", "y_1"]}`, `[` + indexed + `]`, `[` + lessX + `]`, false},
		{"dropIndexes of two, done", `{"dropIndexes": "a", "index": ["x_1", "y_1"]}`, `[` + indexed + `]`, `[` + a + `]`, true},
		{"dropIndexes of all, done", `{"deleteIndexes": "a", "index": "*"}`, `[` + indexed + `]`, `[` + a + `]`, true},
		{"dropIndexes, there was none", `{"dropIndexes": "a", "index": "x_1"}`, `[` + a + `]`, `[` + a + `]`, false},
		{"convertToCapped, not yet", `{"convertToCapped": "a", "size": 4096}`, `[` + a + `]`, `[` + a + `]`, false},
		{"convertToCapped, done", `{"convertToCapped": "a", "size": 4096}`, `[` + a + `]`, `[` + capped + `]`, true},
		{"createIndexes is sent again", `{"createIndexes": "a", "indexes": [{"key": {"x": 1}, "name": "x_1"}]}`, `[` + a + `]`, `[` + indexed + `]`, false},
		{"collMod is sent again", `{"collMod": "a", "validator": {"x": 1}}`, `[` + a + `]`, `[{"name": "a", "uuid": "1", "options": {"validator": {"x": 1}}}]`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := MongoTookEffect(bsonOf(t, test.command), mongoSchema(t, test.before), mongoSchema(t, test.now))
			if got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}
