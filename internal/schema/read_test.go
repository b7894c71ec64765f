package schema

import (
	"errors"
	"strings"
	"testing"
)

// table is a document with one table of these columns and more.
func table(columns, more string) string {
	return `{"tables": [{"name": "t", "columns": [` + columns + `]` + more + `}]}`
}

// column is the JSON of one int column with more.
func column(more string) string { return `{"name": "a", "type": "int"` + more + `}` }

func TestMistakesInASchemaAreNamed(t *testing.T) {
	for document, want := range map[string]string{
		``:                                   "malformed JSON",
		`{"tables": [}`:                      "malformed JSON",
		`{} {}`:                              "malformed JSON: something follows",
		"{\"tables\": [\"\xff\"]}":           "not valid UTF-8",
		`[]`:                                 "a schema must be a JSON object, got an array",
		`{}`:                                 "the schema is empty",
		`{"tables": []}`:                     "the schema is empty",
		`{"tables": {}}`:                     `field "tables" must be an array, got an object`,
		`{"tabels": []}`:                     `field "tabels" is not known; the fields are tables, collections, patterns`,
		`{"tables": [], "tables": []}`:       `duplicate field "tables"`,
		`{"tables": [1]}`:                    `field "tables[0]" must be an object, got a number`,
		`{"tables": [{}]}`:                   `field "tables[0].name" is missing`,
		`{"tables": [{"name": ""}]}`:         `field "tables[0].name" is empty`,
		`{"tables": [{"name": 7}]}`:          `field "tables[0].name" must be a string, got a number`,
		`{"tables": [{"name": "a\u0000b"}]}`: `field "tables[0].name" has a control character`,
		`{"tables": [{"name": "` + strings.Repeat("n", 129) + `"}]}`:                                     `field "tables[0].name" is longer than 128 bytes`,
		`{"tables": [{"name": "t"}]}`:                                                                    `field "tables[0].columns" is missing or empty`,
		`{"tables": [{"name": "t", "cols": 1}]}`:                                                         `field "tables[0].cols" is not known`,
		table(`{"name": "a"}`, ""):                                                                       `field "tables[0].columns[0].type" is missing`,
		table(`{"type": "int"}`, ""):                                                                     `field "tables[0].columns[0].name" is missing`,
		table(`{"name": "a", "type": "int; DROP TABLE x"}`, ""):                                          `field "tables[0].columns[0].type" has "; DROP TABLE x", which is no part of a type`,
		table(column(`, "nullable": "no"`), ""):                                                          `field "tables[0].columns[0].nullable" must be a boolean, got a string`,
		table(column(`, "default": []`), ""):                                                             `field "tables[0].columns[0].default" must be a string, got an array`,
		table(column(`, "default": "1; DROP TABLE x"`), ""):                                              `field "tables[0].columns[0].default" has ";`,
		table(column(`, "default": ""`), ""):                                                             `field "tables[0].columns[0].default" is empty`,
		table(column(`, "check": 1`), ""):                                                                `field "tables[0].columns[0].check" must be a string, got a number`,
		table(column(`, "check": "a > 0)"`), ""):                                                         `field "tables[0].columns[0].check" closes a parenthesis that it did not open`,
		table(column(`, "references": "u("`), ""):                                                        `field "tables[0].columns[0].references" must be like "users(id)"`,
		table(column(`, "references": {}`), ""):                                                          `field "tables[0].columns[0].references.table" is missing`,
		table(column(`, "references": {"table": "u", "on_delete": "explode"}`), ""):                      `field "tables[0].columns[0].references.on_delete" must be cascade,`,
		table(column("")+","+column(""), ""):                                                             `field "tables[0].columns[1].name" "a" comes twice`,
		table(column(""), `, "primary_key": []`):                                                         `field "tables[0].primary_key" must have 1 to 32 names`,
		table(column(""), `, "primary_key": ["b"]`):                                                      `field "tables[0].primary_key" names the column "b", which the table does not have`,
		table(column(`, "primary_key": true`)+`,{"name": "b", "type": "int"}`, `, "primary_key": ["b"]`): `field "tables[0].primary_key" disagrees`,
		table(column(""), `, "unique": [["b"]]`):                                                         `field "tables[0].unique" names the column "b"`,
		table(column(""), `, "indexes": [{}]`):                                                           `field "tables[0].indexes[0].columns" is missing`,
		table(column(""), `, "indexes": [{"columns": ["b"]}]`):                                           `field "tables[0].indexes[0].columns" names the column "b"`,
		table(column(""), `, "indexes": [{"columns": ["a"], "on": 1}]`):                                  `field "tables[0].indexes[0].on" is not known; the fields are name, columns, unique`,
		table(column(""), `, "foreign_keys": [{"columns": ["a"]}]`):                                      `field "tables[0].foreign_keys[0].references" is missing`,
		table(column(""), `, "foreign_keys": [{"columns": ["b"], "references": "u"}]`):                   `field "tables[0].foreign_keys" names the column "b"`,
		table(column(""), `, "foreign_keys": [{"columns": ["a"], "references": "u(x, y)"}]`):             `has 1 columns and references 2`,
		table(column(""), `, "foreign_keys": [{"columns": ["a"], "references": "t(z)"}]`):                `references the column "z", which t does not have`,
		table(column(""), `, "foreign_keys": [{"columns": ["a"], "references": "t"}]`):                   `references t, which has no primary key`,
		`{"tables": [{"name": "t", "columns": [{"name": "a", "type": "int"}]}, {"name": "t", "columns": [{"name": "a", "type": "int"}]}]}`: `field "tables[1].name" "t" comes twice`,
		`{"collections": [{}]}`:                                                        `field "collections[0].name" is missing`,
		`{"collections": [{"name": "c", "validator": []}]}`:                            `field "collections[0].validator" must be an object, got an array`,
		`{"collections": [{"name": "c", "validation_level": "some"}]}`:                 `field "collections[0].validation_level" must be one of strict, moderate, off`,
		`{"collections": [{"name": "c", "indexes": [{"keys": {}}]}]}`:                  `field "collections[0].indexes[0].keys" must have 1 to 32 fields`,
		`{"collections": [{"name": "c", "indexes": [{"keys": {"a": 2}}]}]}`:            `field "collections[0].indexes[0].keys.a" must be 1, -1,`,
		`{"collections": [{"name": "c", "indexes": [{"keys": ["a"]}]}]}`:               `field "collections[0].indexes[0].keys" must be an object, got an array`,
		`{"collections": [{"name": "c", "indexes": [{"keys": {"a": 1}, "ttl": -1}]}]}`: `field "collections[0].indexes[0].ttl" must be a whole number from 0`,
		`{"collections": [{"name": "c"}, {"name": "c"}]}`:                              `field "collections[1].name" "c" comes twice`,
		`{"patterns": {"a:*": {}}}`:                                                    `field "patterns.a:*.ttl" is missing`,
		`{"patterns": {"a:*": {"ttl": "1"}}}`:                                          `field "patterns.a:*.ttl" must be a number, got a string`,
		`{"patterns": {"a:*": 5}}`:                                                     `field "patterns.a:*" must be an object, got a number`,
		`{"tables": ` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`:      "nested deeper than 64 levels",
		`{"tables": [` + strings.Repeat("0,", mostValues) + `0]}`:                      "the JSON holds more than 200000 values",
	} {
		_, err := Read([]byte(document))
		fault, ok := errors.AsType[*FieldError](err)
		if !ok || !strings.Contains(fault.Error(), want) {
			t.Errorf("%.120s: got %v, want %s", document, err, want)
		}
	}
}

func TestTypesAreOfAStrictGrammar(t *testing.T) {
	for text, want := range map[string]Type{
		"SERIAL":                          {Name: "int", Increment: true},
		"bigserial":                       {Name: "bigint", Increment: true},
		" VARCHAR ( 255 ) ":               {Name: "varchar", Args: []int{255}},
		"character varying(10)":           {Name: "varchar", Args: []int{10}},
		"NUMERIC(10,2)":                   {Name: "numeric", Args: []int{10, 2}},
		"double precision":                {Name: "double"},
		"TIMESTAMP(3) WITH TIME ZONE":     {Name: "timestamptz", Args: []int{3}},
		"TIMESTAMPTZ":                     {Name: "timestamptz"},
		"int(11) unsigned auto_increment": {Name: "int", Args: []int{11}, Unsigned: true, Increment: true},
		"tinyint(1)":                      {Name: "boolean"},
		"enum('a','it''s')":               {Name: "enum", Values: []string{"a", "it's"}},
		"INTEGER[][3]":                    {Name: "int", Arrays: 2},
		`billing."Odd Type"`:              {Name: `billing."Odd Type"`},
		"citext":                          {Name: "citext"},
		"vector(3)":                       {Name: "vector", Args: []int{3}},
	} {
		got, err := ParseType(text)
		if err != nil || !equalTypes(got, want) {
			t.Errorf("%q: got %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", " ", "1int", "int PRIMARY KEY", "int NOT NULL", "int DEFAULT 1", "int; DROP TABLE t", "int, b int", "int)", "int(", "int(1",
		"int(1,2,3)", "int(-1)", "int(a)", "varchar(99999999999)", "int --", "int/**/", "int CHECK (true)", "int REFERENCES u", "int()",
		"enum", "enum()", "enum(a)", "enum('a'", `enum('a\'')`, "int('a')", "varchar(1)(2)", "int[", "int[a]", `"a`, `""`, `"a""b"`, "a b", "a.", "a.'b'",
		"int COLLATE x", "int GENERATED ALWAYS AS (1) STORED", strings.Repeat("a", 5000),
	} {
		if got, err := ParseType(text); err == nil {
			t.Errorf("%q: got %+v, want an error", text, got)
		}
	}
}

func equalTypes(a, b Type) bool {
	if len(a.Args) != len(b.Args) || !sameNames(a.Values, b.Values) {
		return false
	}
	for i := range a.Args {
		if a.Args[i] != b.Args[i] {
			return false
		}
	}
	return a.Name == b.Name && a.Unsigned == b.Unsigned && a.Increment == b.Increment && a.Arrays == b.Arrays
}

func TestExpressionsStayWhereTheyStand(t *testing.T) {
	for _, text := range []string{
		"now()", "'it''s; -- fine /* here */'", "price > 0 AND (a, b) IN ((1, 2))", `"Odd, one" > 0`, "'{}'::jsonb", "data->>'a' <> ''", "ARRAY['a', 'b']", "`a` > 0", "a - -5 > 0",
	} {
		if err := checkExpression(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{
		"", "1; DROP TABLE t", "1, b int", "1)", "(1", "1 -- x", "1 /* x", "1 # x", "'open", `"open`, `E'\'; x'`, "$$a$$", "1) CHECK (true", "[1", "1]", "a\x00b", "a\\b", strings.Repeat("1", mostExpression+1),
	} {
		if err := checkExpression(text); err == nil {
			t.Errorf("%q is let through", text)
		}
	}
}

// FuzzRead holds that no document makes the reader panic, and that what it takes
// can be written for each dialect, with every statement in one piece.
func FuzzRead(f *testing.F) {
	for _, name := range Templates() {
		text, err := templates.ReadFile("templates/" + name + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(table(`{"name": "a", "type": "int(11) unsigned auto_increment", "primary_key": true, "default": 1.5, "check": "a > 0", "references": {"table": "t", "column": "a", "on_delete": "set null"}}`,
		`, "unique": [["a"]], "indexes": ["t_pkey", {"columns": ["a"], "unique": true}], "foreign_keys": [{"columns": ["a"], "references": "u(x)"}]`)))
	f.Add([]byte(`{"collections": [{"name": "c", "validator": {"$jsonSchema": {"required": ["a"], "properties": {"a": {"bsonType": ["string", "null"], "enum": ["x"]}}}}, "indexes": [{"keys": {"a": 1, "b": -1}, "ttl": 5, "partial": {"a": 1}}]}]}`))
	f.Add([]byte(`{"patterns": {"a:*": {"ttl": 5}}}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		s, err := Read(document)
		if err != nil {
			if _, ok := errors.AsType[*FieldError](err); !ok {
				t.Fatalf("got %v, which names no field", err)
			}
			return
		}
		for _, to := range []Dialect{PostgreSQL, MySQL, MongoDB} {
			steps, _, err := s.Render(to)
			if err != nil {
				continue
			}
			for _, step := range steps {
				if to == MongoDB {
					if _, err := parse([]byte(step.Statement)); err != nil {
						t.Errorf("%s: %v\n%s", to, err, step.Statement)
					}
				} else if !balanced(step.Statement) {
					t.Errorf("%s: a statement that is not in one piece\n%s", to, step.Statement)
				}
			}
			_, _ = s.CarriedOver(to)
		}
	})
}

// balanced says whether a statement's quotes and parentheses close, and nothing
// outside of quotes ends it.
func balanced(sql string) bool {
	depth := 0
	for i := 0; i < len(sql); i++ {
		switch c := sql[i]; c {
		case '\'', '"', '`':
			end := strings.IndexByte(sql[i+1:], c)
			if end < 0 {
				return false
			}
			i += end + 1
		case '(':
			depth++
		case ')':
			depth--
		case ';':
			return false
		}
		if depth < 0 {
			return false
		}
	}
	return depth == 0
}
