package schema

import (
	"fmt"
	"strings"
	"testing"
)

func TestTemplatesAreWholeSchemas(t *testing.T) {
	for _, name := range Templates() {
		s, known, err := Template(name)
		if err != nil || !known {
			t.Fatalf("%s: known %v, %v", name, known, err)
		}
		keys, indexes := 0, 0
		for _, table := range s.Tables {
			keys, indexes = keys+len(table.ForeignKeys), indexes+len(table.Indexes)
			if len(table.PrimaryKey) == 0 {
				t.Errorf("%s: table %s has no primary key", name, table.Name)
			}
		}
		if n := len(s.Tables); n < 6 || n > 12 || keys < n-3 || indexes < n-3 || len(s.Patterns) == 0 {
			t.Errorf("%s: %d tables, %d foreign keys, %d indexes, %d patterns", name, n, keys, indexes, len(s.Patterns))
		}
		for _, to := range []Dialect{PostgreSQL, MySQL, MongoDB} {
			steps, warnings, err := s.Render(to)
			if err != nil || len(warnings) > 0 || len(steps) <= len(s.Tables) {
				t.Errorf("%s for %s: %d statements, warnings %v, %v", name, to, len(steps), warnings, err)
			}
		}
	}
	if _, known, _ := Template("crm"); known {
		t.Error("a template that is not there is known")
	}
}

// rendered is a document's statements for a dialect.
func rendered(t *testing.T, to Dialect, document string) (statements, warnings []string) {
	t.Helper()
	s, err := Read([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	steps, warnings, err := s.Render(to)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range steps {
		statements = append(statements, strings.Join(strings.Fields(step.Statement), " "))
	}
	return statements, warnings
}

const shop = `{"tables": [
	{"name": "orders", "columns": [
		{"name": "id", "type": "BIGSERIAL", "primary_key": true},
		{"name": "user_id", "type": "INTEGER", "nullable": false, "references": {"table": "users", "column": "id", "on_delete": "cascade"}},
		{"name": "state", "type": "enum('new','it''s')", "default": "'new'"},
		{"name": "data", "type": "JSONB", "default": "'{}'"},
		{"name": "paid", "type": "BOOLEAN", "nullable": false, "default": false},
		{"name": "tags", "type": "TEXT[]"},
		{"name": "at", "type": "TIMESTAMPTZ", "nullable": false, "default": "now()"},
		{"name": "order", "type": "TEXT", "check": "length(state) > 0"}
	], "indexes": ["orders_pkey", "lost", {"columns": ["user_id", "at"]}, {"name": "odd \"x\" ` + "`y`" + `", "columns": ["order"], "unique": true}]},
	{"name": "users", "columns": [{"name": "id", "type": "SERIAL", "primary_key": true}, {"name": "email", "type": "VARCHAR(255)", "unique": true, "check": "email <> ''"},
		{"name": "best", "type": "BIGINT", "references": "orders(id)"}]}
]}`

func TestTablesForPostgreSQL(t *testing.T) {
	statements, warnings := rendered(t, PostgreSQL, shop)
	same(t, statements,
		`CREATE TABLE "users" ( "id" SERIAL NOT NULL, "email" VARCHAR(255), "best" BIGINT, PRIMARY KEY ("id"), UNIQUE ("email"), CHECK (email <> '') )`,
		`CREATE TABLE "orders" ( "id" BIGSERIAL NOT NULL, "user_id" INTEGER NOT NULL, "state" TEXT CHECK ("state" IN ('new', 'it''s')) DEFAULT 'new', "data" JSONB DEFAULT '{}', `+
			`"paid" BOOLEAN NOT NULL DEFAULT false, "tags" TEXT[], "at" TIMESTAMPTZ NOT NULL DEFAULT now(), "order" TEXT, PRIMARY KEY ("id"), CHECK (length(state) > 0), `+
			`FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE )`,
		`CREATE INDEX "orders_user_id_at_idx" ON "orders" ("user_id", "at")`,
		`CREATE UNIQUE INDEX "odd ""x"" `+"`y`"+`" ON "orders" ("order")`,
		`ALTER TABLE "users" ADD FOREIGN KEY ("best") REFERENCES "orders" ("id")`,
	)
	same(t, warnings, "orders: the index lost has a name only: give its columns to have it made")
}

func TestTablesForMySQL(t *testing.T) {
	statements, warnings := rendered(t, MySQL, shop)
	same(t, statements,
		"CREATE TABLE `users` ( `id` INT NOT NULL AUTO_INCREMENT, `email` VARCHAR(255), `best` BIGINT, PRIMARY KEY (`id`), UNIQUE (`email`), CHECK (email <> '') )",
		"CREATE TABLE `orders` ( `id` BIGINT NOT NULL AUTO_INCREMENT, `user_id` INT NOT NULL, `state` ENUM('new', 'it''s') DEFAULT 'new', `data` JSON DEFAULT ('{}'), "+
			"`paid` BOOLEAN NOT NULL DEFAULT false, `tags` JSON, `at` DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), `order` VARCHAR(255), PRIMARY KEY (`id`), CHECK (length(state) > 0), "+
			"FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE )",
		"CREATE INDEX `orders_user_id_at_idx` ON `orders` (`user_id`, `at`)",
		"CREATE UNIQUE INDEX `odd \"x\" ``y``` ON `orders` (`order`)",
		"ALTER TABLE `users` ADD FOREIGN KEY (`best`) REFERENCES `orders` (`id`)",
	)
	same(t, warnings, "orders.tags is JSON: MySQL has no arrays", "orders.order is VARCHAR(255): MySQL indexes no TEXT of any length",
		"orders: the index lost has a name only: give its columns to have it made")
}

func TestTablesForMongoDB(t *testing.T) {
	statements, warnings := rendered(t, MongoDB, shop)
	same(t, statements,
		`{"create":"orders","validator":{"$jsonSchema":{"bsonType":"object","required":["user_id"],"properties":{"user_id":{"bsonType":"objectId"},`+
			`"state":{"bsonType":["string","null"],"enum":["new","it's",null]},"data":{},"paid":{"bsonType":"bool"},"tags":{"bsonType":["array","null"]},"at":{"bsonType":"date"},"order":{"bsonType":["string","null"]}}}}}`,
		`{"createIndexes":"orders","indexes":[{"key":{"user_id":1,"at":1},"name":"user_id_1_at_1"}]}`,
		`{"createIndexes":"orders","indexes":[{"key":{"order":1},"name":"order_1","unique":true}]}`,
		`{"create":"users","validator":{"$jsonSchema":{"bsonType":"object","properties":{"email":{"bsonType":["string","null"],"maxLength":255},"best":{"bsonType":["objectId","null"]}}}}}`,
		`{"createIndexes":"users","indexes":[{"key":{"email":1},"name":"email_1","unique":true}]}`,
		`{"createIndexes":"users","indexes":[{"key":{"best":1},"name":"best_1"}]}`,
	)
	same(t, warnings, "orders: the check length(state) > 0 is left out: only lists and bounds of values have a form in MongoDB",
		"users: the check email <> '' is left out: only lists and bounds of values have a form in MongoDB")
}

// A driver sends a number as the BSON type that it takes for it.
func TestNumbersForMongoDBAndBack(t *testing.T) {
	statements, warnings := rendered(t, MongoDB, `{"tables": [{"name": "t", "columns": [{"name": "n", "type": "int unsigned"}, {"name": "b", "type": "bigint", "nullable": false},
		{"name": "price", "type": "numeric(10,2)", "check": "price >= 0"}, {"name": "ratio", "type": "real"}]}]}`)
	validator := `{"$jsonSchema":{"bsonType":"object","required":["b"],"properties":{"n":{"bsonType":["int","long","null"]},"b":{"bsonType":["int","long"]},` +
		`"price":{"bsonType":["int","long","double","decimal","null"],"minimum":0},"ratio":{"bsonType":["int","long","double","decimal","null"]}}}}`
	same(t, statements, `{"create":"t","validator":`+validator+`}`)
	same(t, warnings)
	statements, warnings = rendered(t, PostgreSQL, `{"collections": [{"name": "t", "validator": `+validator+`}]}`)
	same(t, statements, `CREATE TABLE "t" ( "_id" CHAR(24) NOT NULL, "n" BIGINT, "b" BIGINT NOT NULL, "price" NUMERIC(38,10), "ratio" NUMERIC(38,10), PRIMARY KEY ("_id") )`)
	same(t, warnings)
}

func TestCollectionsAsTheyAre(t *testing.T) {
	statements, warnings := rendered(t, MongoDB, `{"collections": [{"name": "a \"b\"", "validator": {"z": 1, "a": {"$gt": {"$numberLong": "5"}}}, "validation_level": "moderate", "validation_action": "warn",
		"indexes": ["_id_", "lost_1", {"keys": {"z": -1, "a": "text"}, "sparse": true, "ttl": 60}, {"name": "n", "keys": {"a": 1}, "unique": true, "partial": {"a": {"$exists": true}}}]}]}`)
	same(t, statements,
		`{"create":"a \"b\"","validator":{"z": 1, "a": {"$gt": {"$numberLong": "5"}}},"validationLevel":"moderate","validationAction":"warn"}`,
		`{"createIndexes":"a \"b\"","indexes":[{"key":{"z":-1,"a":"text"},"name":"z_-1_a_text","sparse":true,"expireAfterSeconds":60}]}`,
		`{"createIndexes":"a \"b\"","indexes":[{"key":{"a":1},"name":"n","unique":true,"partialFilterExpression":{"a": {"$exists": true}}}]}`,
	)
	same(t, warnings, `a "b": the index lost_1 has a name only: give its keys to have it made`)
}

func TestCollectionsAsTables(t *testing.T) {
	document := `{"collections": [{"name": "users", "validator": {"$jsonSchema": {"required": ["email", "age"], "properties": {
		"email": {"bsonType": "string", "maxLength": 255}, "age": {"bsonType": ["int", "null"]}, "balance": {"bsonType": "decimal"}, "team": {"bsonType": "objectId"},
		"state": {"enum": ["on", "off"], "bsonType": "string"}, "at": {"bsonType": "date"}, "more": {"bsonType": "object"}}}},
		"indexes": [{"keys": {"email": 1}, "unique": true}, {"keys": {"more.a": 1}}, {"keys": {"at": 1}, "ttl": 5}, {"keys": {"state": "hashed"}}]}, {"name": "free"}]}`
	statements, warnings := rendered(t, PostgreSQL, document)
	same(t, statements,
		`CREATE TABLE "users" ( "_id" CHAR(24) NOT NULL, "email" VARCHAR(255) NOT NULL, "age" INTEGER, "balance" NUMERIC(38,10), "team" CHAR(24), "state" TEXT CHECK ("state" IN ('on', 'off')), `+
			`"at" TIMESTAMPTZ, "more" JSONB, PRIMARY KEY ("_id") )`,
		`CREATE UNIQUE INDEX "users_email_key" ON "users" ("email")`,
		`CREATE INDEX "users_at_idx" ON "users" ("at")`,
		`CREATE TABLE "free" ( "_id" CHAR(24) NOT NULL, "document" JSONB NOT NULL, PRIMARY KEY ("_id") )`,
	)
	same(t, warnings, "users: the index on more.a_1 is left out: it has no form in SQL", "users: the index on at_1 expires nothing: SQL databases don't",
		"users: the index on state_hashed is left out: it has no form in SQL", `free: its validator describes no fields: its documents are in the column "document"`)
}

// What a server says of its own schema, as another dialect has it.
func TestSchemasCarriedOver(t *testing.T) {
	s, err := Read([]byte(`{"tables": [{"name": "billing.invoices", "columns": [
		{"name": "id", "type": "int(10) unsigned auto_increment", "primary_key": true}, {"name": "big", "type": "bigint(20) unsigned", "default": "0", "check": "(big > (5)::bigint)"},
		{"name": "small", "type": "tinyint(1)", "default": "1"}, {"name": "at", "type": "timestamp", "default": "current_timestamp() ON UPDATE current_timestamp()"},
		{"name": "made", "type": "text", "default": "upper('x')", "check": "upper(made) = made"}, {"name": "shape", "type": "geometry"}, {"name": "note", "type": "varchar(10)", "default": "'a'::character varying"}
		], "indexes": [{"name": "i", "columns": ["at"]}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	carried, warnings := s.CarriedOver(MySQL)
	steps, more, err := carried.Render(PostgreSQL)
	if err != nil || len(more) > 0 || len(steps) != 2 {
		t.Fatalf("%d steps, %v, %v", len(steps), more, err)
	}
	same(t, []string{strings.Join(strings.Fields(steps[0].Statement), " "), steps[1].Statement},
		`CREATE TABLE "billing_invoices" ( "id" BIGSERIAL NOT NULL, "big" NUMERIC(20,0) DEFAULT 0, "small" BOOLEAN DEFAULT true, "at" TIMESTAMPTZ(0) DEFAULT now(), "made" TEXT, "shape" TEXT, `+
			`"note" VARCHAR(10) DEFAULT 'a', PRIMARY KEY ("id"), CHECK ("big" > 5) )`,
		`CREATE INDEX "billing_invoices_at_idx" ON "billing_invoices" ("at")`)
	same(t, warnings, "billing.invoices: at is no longer set ON UPDATE", "billing.invoices: the default of made is left out: upper('x')",
		"billing.invoices: shape is text: geometry is mysql's own type", "billing.invoices: the check upper(made) = made is left out: its words are mysql's")
}

// Values that PostgreSQL writes in a form of its own.
func TestDefaultsCarriedOver(t *testing.T) {
	column := func(name, kind, value string) string {
		return fmt.Sprintf(`{"name": %q, "type": %q, "default": %q}`, name, kind, value)
	}
	s, err := Read([]byte(`{"tables": [{"name": "t", "columns": [` + strings.Join([]string{
		column("a", "timestamptz", "'1970-01-01 00:00:00+00'::timestamp with time zone"), column("b", "timestamptz", "'infinity'::timestamp with time zone"),
		column("c", "date", "'2001-02-03'::date"), column("d", "date", "'0044-03-15 BC'::date"), column("e", "text[]", "'{}'::text[]"), column("f", "text[]", "'{x}'::text[]"),
		column("g", "money", "'$1.50'::money"), column("h", "jsonb", "'{}'::jsonb"), column("i", "timestamp", "'2001-02-03 04:05:06.5'::timestamp without time zone"),
	}, ", ") + `]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	carried, warnings := s.CarriedOver(PostgreSQL)
	steps, _, err := carried.Render(MySQL)
	if err != nil {
		t.Fatal(err)
	}
	same(t, []string{strings.Join(strings.Fields(steps[0].Statement), " ")},
		"CREATE TABLE `t` ( `a` DATETIME(6) DEFAULT '1970-01-01 00:00:00', `b` DATETIME(6), `c` DATE DEFAULT '2001-02-03', `d` DATE, `e` JSON DEFAULT ('[]'), `f` JSON, "+
			"`g` DECIMAL(19,2), `h` JSON DEFAULT ('{}'), `i` DATETIME(6) DEFAULT '2001-02-03 04:05:06.5' )")
	same(t, warnings, "t: the default of b is left out: 'infinity'", "t: the default of d is left out: '0044-03-15 BC'", "t: the default of f is left out: '{x}'",
		"t: the default of g is left out: '$1.50'")
}

func TestNamesThatTheServerWouldCutStayApart(t *testing.T) {
	long := strings.Repeat("n", 70)
	one := indexName(long, Index{Columns: []string{"a"}})
	two := indexName(long, Index{Columns: []string{"b"}})
	if one == two || len(one) > 63 || len(two) > 63 {
		t.Errorf("got %q and %q", one, two)
	}
}

func TestTablesInSchemas(t *testing.T) {
	document := `{"tables": [{"name": "billing.a", "columns": [{"name": "id", "type": "int", "primary_key": true}]}, {"name": "billing.b", "columns": [{"name": "a", "type": "int", "references": "billing.a"}], "indexes": [{"columns": "a"}]}]}`
	statements, _ := rendered(t, PostgreSQL, document)
	same(t, statements, `CREATE SCHEMA IF NOT EXISTS "billing"`, `CREATE TABLE "billing"."a" ( "id" INTEGER NOT NULL, PRIMARY KEY ("id") )`,
		`CREATE TABLE "billing"."b" ( "a" INTEGER, FOREIGN KEY ("a") REFERENCES "billing"."a" ("id") )`, `CREATE INDEX "b_a_idx" ON "billing"."b" ("a")`)
	statements, _ = rendered(t, MySQL, document)
	if statements[0] != "CREATE TABLE `billing.a` ( `id` INT NOT NULL, PRIMARY KEY (`id`) )" {
		t.Errorf("got %s", statements[0])
	}
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("%d: got\n%s\nwant\n%s", i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %d, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
}
