package test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// The templates, on the real servers: each makes a whole schema as one version,
// whose replay gives an identical dump, and finds itself there the next time.

var templates = []string{"ecommerce", "saas", "blog", "fintech"}

// importInto imports a schema, which must work, and checks that the answer has
// the specification's shape and that its counts add up.
func (in *installation) importInto(t testing.TB, workspace string, request map[string]any) map[string]any {
	t.Helper()
	body := in.must(t, http.StatusOK, "POST", "/workspaces/"+workspace+"/schema", request)
	shape(t, body, `{"success": true, "http_status": 200, "code": "ok", "message": "", "source": "", "created": [], "skipped": [], "errors": [], "warnings": [],
		"details": {"workspace": "", "database_type": "", "statements_executed": 3, "statements_skipped": 0, "statements_failed": 0, "statements_total": 3}}`)
	holds(t, body, fmt.Sprintf(`{"code": "ok", "message": "Schema imported to workspace '%s'", "source": %q}`, workspace, request["source"]))
	executed, skipped, failed, total := counts(body)
	if executed+skipped+failed != total || failed != len(body["errors"].([]any)) {
		t.Errorf("the counts do not add up: %v", body["details"])
	}
	return body
}

func counts(body map[string]any) (executed, skipped, failed, total int) {
	details := body["details"].(map[string]any)
	of := func(name string) int { return int(details["statements_"+name].(float64)) }
	return of("executed"), of("skipped"), of("failed"), of("total")
}

// importTemplate imports it twice: made the first time, and skipped the second.
func (in *installation) importTemplate(t testing.TB, workspace, template string) (statements int) {
	t.Helper()
	request := map[string]any{"source": "template", "template": template}
	first := in.importInto(t, workspace, request)
	executed, skipped, failed, _ := counts(first)
	if created := first["created"].([]any); len(created) < 4 || executed < len(created) || skipped+failed > 0 {
		t.Errorf("%s: got %v", template, first)
	}
	second := in.importInto(t, workspace, request)
	if again, there, failed, _ := counts(second); again+failed > 0 || there != executed {
		t.Errorf("%s again: got %v", template, second)
	}
	if got, want := fmt.Sprint(second["skipped"], second["created"]), fmt.Sprint(first["created"], []any{}); got != want {
		t.Errorf("%s again: got skipped and created %s, want %s", template, got, want)
	}
	return executed
}

// mustBeOneImport holds a queue to one version of that many entries.
func mustBeOneImport(t testing.TB, queue []entry, statements int) {
	t.Helper()
	if len(queue) != statements {
		t.Errorf("the queue has %d entries, want %d", len(queue), statements)
	}
	for _, e := range queue {
		if e.Version != 1 || e.Source != "import" {
			t.Errorf("%s: got version %d, source %q", e.DDL, e.Version, e.Source)
		}
	}
}

func TestTemplatesOnPostgreSQL(t *testing.T) {
	for _, template := range templates {
		t.Run(template, func(t *testing.T) {
			d := shared.workspace(t, "tpl-"+template, "tenant")
			statements := shared.importTemplate(t, d.id, template)
			mustBeOneImport(t, d.queue(t), statements)
			conn := d.connect(t)
			keys, indexes := scalar(t, conn, "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace"),
				scalar(t, conn, "SELECT count(*) FROM pg_index x WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid) AND indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)")
			mustBeMany(t, "foreign keys", keys, 6)
			mustBeMany(t, "indexes", indexes, 10)
			mustRebuild(t, d)
		})
	}
}

func mustBeMany(t testing.TB, what, got string, least int) {
	t.Helper()
	if n, err := strconv.Atoi(got); err != nil || n < least {
		t.Errorf("%s %s, want %d or more", got, what, least)
	}
}

func TestTemplatesOnMySQL(t *testing.T) {
	for _, template := range templates {
		t.Run(template, func(t *testing.T) {
			d := shared.mysqlUnlimited(t, "my-tpl-"+template, "tenant")
			statements := shared.importTemplate(t, d.id, template)
			mustBeOneImport(t, d.queue(t), statements)
			for sql, least := range map[string]int{
				"SELECT count(*) FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE()":                                           6,
				"SELECT count(DISTINCT TABLE_NAME, INDEX_NAME) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND INDEX_NAME LIKE '%\\_idx'": 8,
			} {
				out, err := shared.mysqlClient(d.connection, sql)
				if err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				mustBeMany(t, sql, out, least)
			}
			mustRebuildMySQL(t, d)
			mustRedefineMySQL(t, d)
		})
	}
}

func TestTemplatesOnMongoDB(t *testing.T) {
	ctx := mongoContext(t)
	for _, template := range templates {
		t.Run(template, func(t *testing.T) {
			d := database{installation: shared, id: "mongo-tpl-" + template}
			d.url = shared.mongoAddress(t, d.id, "tenant", nil)
			statements := shared.importTemplate(t, d.id, template)
			mustBeOneImport(t, d.queue(t), statements)
			schema := mongoSchema(t, ctx, mongoClient(t, d.url))
			if n := strings.Count(schema, `"unique": true`); n < 4 {
				t.Errorf("%d unique indexes:\n%s", n, schema)
			}
			replayed := mongoClient(t, shared.mongoAddress(t, d.id+"-r", "control", nil))
			replayMongo(t, ctx, replayed, d.queue(t))
			if got := mongoSchema(t, ctx, replayed); got != schema {
				t.Errorf("a replay of the queue differs from the workspace:\n%s", firstDifference(got, schema))
			}
		})
	}
}

func TestTemplatesOnRedis(t *testing.T) {
	for _, template := range templates {
		t.Run(template, func(t *testing.T) {
			body := shared.redisWorkspace(t, "redis-tpl-"+template, "tenant")
			id := body["id"].(string)
			patterns := shared.importTemplate(t, id, template)
			settings := shared.must(t, http.StatusOK, "GET", "/workspaces/"+id+"/settings", nil)["settings"].(map[string]any)
			if got := settings["patterns"].(map[string]any); len(got) != patterns {
				t.Errorf("got the patterns %v, want %d", got, patterns)
			}
			address := body["connection_string"].(string)
			shared.mustRedisCLI(t, "OK", address, "SET", "session:1", "a")
			if out, err := shared.redisCLI(address, "TTL", "session:1"); err != nil || out == "-1" {
				if template != "blog" || out == "-1" {
					t.Errorf("a key of the pattern session:* has the TTL %s (%v)", out, err)
				}
			}
		})
	}
}
