package test

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// forwarder is a way to a source that lets so many bytes of it pass and then
// keeps the rest back, until it is cut.
type forwarder struct {
	listener net.Listener
	to       string
	most     int64

	mu    sync.Mutex
	conns []net.Conn
	held  chan struct{} // closed when the first byte is kept back
	once  sync.Once
}

func forwardTo(t testing.TB, connection map[string]any, most int64) (*forwarder, map[string]any) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &forwarder{listener: listener, to: net.JoinHostPort(connection["host"].(string), fmt.Sprint(connection["port"])), most: most, held: make(chan struct{})}
	go f.serve()
	t.Cleanup(f.cut)
	through := maps.Clone(connection)
	through["host"], through["port"] = "127.0.0.1", listener.Addr().(*net.TCPAddr).Port
	return f, through
}

func (f *forwarder) serve() {
	for {
		near, err := f.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", f.to)
		if err != nil {
			near.Close()
			continue
		}
		f.mu.Lock()
		f.conns = append(f.conns, near, far)
		f.mu.Unlock()
		go io.Copy(far, near)
		go func() {
			if n, _ := io.CopyN(near, far, f.most); n == f.most {
				f.once.Do(func() { close(f.held) })
				return // and never reads on
			}
			near.Close()
		}()
	}
}

// cut ends all connections and takes no more.
func (f *forwarder) cut() {
	f.listener.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		c.Close()
	}
}

const manyRows = "CREATE TABLE first (id int PRIMARY KEY); CREATE TABLE many (id int PRIMARY KEY, t text)"

func TestImportWhoseSourceDiesIsUndoneAndMayBeRepeated(t *testing.T) {
	_, connection := shared.postgresSource(t, "dying-source", manyRows+"; INSERT INTO first SELECT generate_series(1, 100); INSERT INTO many SELECT n, repeat('x', 1000) FROM generate_series(1, 20000) n")
	d := shared.workspace(t, "dying", "tenant")
	d.psql(t, manyRows)
	way, through := forwardTo(t, connection, 4<<20)
	id := shared.beginImport(t, "dying", "import-data", map[string]any{"connection": through})
	<-way.held
	if now := shared.importUntil(t, "dying", id, func(body map[string]any) bool { return body["rows_imported"].(float64) > 100 }); now["status"] != "in_progress" || now["completed_at"] != nil {
		t.Errorf("amid: got %v", now)
	}
	a := shared.call(t, "POST", "/workspaces/dying/import-data", map[string]any{"connection": connection})
	if a.status != http.StatusConflict || a.body["reason"] != "import_in_progress" || a.body["import_id"] != id {
		t.Errorf("a second import amid the first: got %d %v", a.status, a.body)
	}
	// Others go on meanwhile, and see none of it.
	shared.must(t, http.StatusOK, "PATCH", "/workspaces/dying/settings", map[string]any{"query_timeout_ms": 5000})
	if got := d.psql(t, "SELECT count(*) FROM first", "-At"); got != "0\n" {
		t.Errorf("amid: got %s rows", got)
	}
	way.cut()
	done := shared.importEnded(t, "dying", id)
	if done["status"] != "failed" || done["rows_imported"] != float64(0) || !strings.Contains(fmt.Sprint(done["error"]), "table many: the database at 127.0.0.1:") {
		t.Errorf("got %v", done)
	}
	if got := d.psql(t, "SELECT count(*) FROM first", "-At"); got != "0\n" {
		t.Errorf("got %s rows of an import that failed", got)
	}
	shared.importData(t, "dying", "import-data", map[string]any{"connection": connection})
	if got := d.psql(t, "SELECT count(*) FROM many", "-At"); got != "20000\n" {
		t.Errorf("got %s rows", got)
	}
}

func TestImportIsUndoneWhenTheProgramEndsAmidIt(t *testing.T) {
	_, connection := shared.postgresSource(t, "ending-source", manyRows+"; INSERT INTO first SELECT generate_series(1, 100); INSERT INTO many SELECT n, repeat('x', 1000) FROM generate_series(1, 20000) n")
	in := newInstallation(t, "postgresql")
	d := in.workspace(t, "ending", "control")
	d.psql(t, manyRows)
	for name, end := range map[string]func(){"killed": in.kill, "stopped": in.stop} {
		t.Run(name, func(t *testing.T) {
			way, through := forwardTo(t, connection, 4<<20)
			id := in.beginImport(t, "ending", "import-data", map[string]any{"connection": through})
			<-way.held
			in.importUntil(t, "ending", id, func(body map[string]any) bool { return body["rows_imported"].(float64) > 100 })
			end()
			if err := in.start(); err != nil {
				t.Fatal(err)
			}
			done := in.importEnded(t, "ending", id)
			if done["status"] != "failed" || done["rows_imported"] != float64(0) || !strings.Contains(fmt.Sprint(done["error"]), "import again") {
				t.Errorf("got %v", done)
			}
			d := database{in, "ending", d.url, d.name}
			if got := d.psql(t, "SELECT count(*) FROM first", "-At"); got != "0\n" {
				t.Errorf("got %s rows of an import that was cut short", got)
			}
		})
	}
	in.importData(t, "ending", "import-data", map[string]any{"connection": connection})
	if got := d.psql(t, "SELECT count(*) FROM many", "-At"); got != "20000\n" {
		t.Errorf("got %s rows", got)
	}
}

func TestWorkspaceCanBeDeletedAmidAnImport(t *testing.T) {
	_, connection := shared.postgresSource(t, "gone-source", manyRows+"; INSERT INTO many SELECT n, repeat('x', 1000) FROM generate_series(1, 20000) n")
	d := shared.workspace(t, "gone-target", "control")
	d.psql(t, manyRows)
	way, through := forwardTo(t, connection, 4<<20)
	id := shared.beginImport(t, "gone-target", "import-data", map[string]any{"connection": through})
	<-way.held
	shared.must(t, http.StatusOK, "DELETE", "/workspaces/gone-target", nil)
	shared.must(t, http.StatusNotFound, "GET", "/workspaces/gone-target/import-data/status?import_id="+id, nil)
}

// peakMemory is the most that the program had in memory, in bytes.
func (in *installation) peakMemory(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", in.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

// The rows are far more than the memory that they may take, also on their way
// out of the source, which the same program serves.
func TestImportOfHundredsOfThousandsOfRowsTakesBoundedMemory(t *testing.T) {
	const rows, most = 300_000, 128 << 20
	schema := "CREATE TABLE wide (id bigserial PRIMARY KEY, t text NOT NULL)"
	in := newInstallation(t, "postgresql")
	_, connection := in.postgresSource(t, "wide-source", fmt.Sprintf("%s; INSERT INTO wide (t) SELECT repeat(md5(n::text), 32) FROM generate_series(1, %d) n", schema, rows))
	d := in.workspace(t, "wide", "control")
	d.psql(t, schema)
	before := in.peakMemory(t)
	done := in.importData(t, "wide", "import-data", map[string]any{"connection": connection})
	if grown := in.peakMemory(t) - before; grown > most {
		t.Errorf("the program took %d MiB more for the import, want at most %d", grown>>20, most>>20)
	} else {
		t.Logf("%d rows of 1 KiB took %d MiB more than the %d MiB before", rows, grown>>20, before>>20)
	}
	if done["rows_imported"] != float64(rows) {
		t.Errorf("got %v", done)
	}
	if got := d.psql(t, "SELECT count(*), max(id), nextval('wide_id_seq'), sum(length(t)) FROM wide", "-At"); got != fmt.Sprintf("%d|%d|%d|%d\n", rows, rows, rows+1, rows*1024) {
		t.Errorf("got %s", got)
	}
}

func TestPostgresImportRefusesWhatDoesNotFit(t *testing.T) {
	source, connection := shared.postgresSource(t, "unfit-source", "CREATE TABLE a (id text); INSERT INTO a VALUES ('1'), ('not a number'); CREATE TABLE b (id int, more int)")
	d := shared.workspace(t, "unfit", "control")
	request := map[string]any{"connection": connection}
	shared.refusedImport(t, "unfit", request, "the table a is not in the database", "the table b is not in the database")
	d.psql(t, "CREATE TABLE a (id int); CREATE TABLE b (id int, needed int NOT NULL)")
	shared.refusedImport(t, "unfit", request, "the table b has no column more", "the table b needs a value for the column needed")
	request["tables"] = []string{"a"}
	shared.failedImport(t, "unfit", request, `table a: invalid input syntax for type integer: "not a number"`)
	source.psql(t, "DELETE FROM a; INSERT INTO a SELECT repeat('x', 70000000)")
	shared.failedImport(t, "unfit", request, "table a: the database at", "a row is larger than 64 MiB")
	d.psql(t, "CREATE FUNCTION drops() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER drops BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION drops()")
	source.psql(t, "TRUNCATE a; INSERT INTO a VALUES (1)")
	shared.failedImport(t, "unfit", request, "the source gave 1 rows and 0 of them arrived")
	request["tables"] = []string{"absent"}
	shared.refusedImport(t, "unfit", request, `the database has no table "absent"`)

	other := maps.Clone(connection)
	other["type"] = "mysql"
	shared.refusedImport(t, "unfit", map[string]any{"connection": other}, "of the workspace's own type: PostgreSQL, not MySQL")
	shared.refusedImport(t, "unfit", map[string]any{"connection": connection, "routing_field": "id"}, "of a workspace in tenant mode")
	shared.must(t, http.StatusNotFound, "GET", "/workspaces/unfit/import-data/status?import_id=imp_0000", nil)
	shared.must(t, http.StatusBadRequest, "GET", "/workspaces/unfit/import-data/status", nil)

	redis := shared.must(t, http.StatusCreated, "POST", "/workspaces", map[string]any{"name": "unfit-keys", "database": "redis", "mode": "control"})
	t.Cleanup(func() { shared.call(t, "DELETE", "/workspaces/"+redis["id"].(string), nil) })
	shared.refusedImport(t, "unfit-keys", map[string]any{"connection": connection}, "a Redis workspace takes no data import")

	// A schema that has errors may still take the rows; where it can't, nothing is copied.
	source.psql(t, "DROP TABLE a; CREATE TABLE c (id int PRIMARY KEY); INSERT INTO c VALUES (1)")
	body := shared.must(t, http.StatusAccepted, "POST", "/workspaces/unfit/import-full", map[string]any{"connection": connection})
	if body["status"] != "failed" || !strings.Contains(fmt.Sprint(body["error"]), "nothing was copied") || fmt.Sprint(body["created"]) != "[c]" {
		t.Errorf("got %v", body)
	}
	if done := shared.importEnded(t, "unfit", body["import_id"].(string)); done["status"] != "failed" {
		t.Errorf("got %v", done)
	}
	body = shared.must(t, http.StatusAccepted, "POST", "/workspaces/unfit/import-full", map[string]any{"connection": connection, "tables": []string{"c"}})
	if done := shared.importEnded(t, "unfit", body["import_id"].(string)); done["status"] != "completed" || done["rows_imported"] != float64(1) {
		t.Errorf("got %v", done)
	}
}
