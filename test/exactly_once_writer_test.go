package test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// crashWriter is one client that changes the schema until the program dies. No
// two statements of the whole test have the same text.
type crashWriter struct {
	kind         string
	name         string // begins the names of its tables
	random       *rand.Rand
	database     database
	conn         *pgconn.PgConn
	loop         func() error    // ends with the error that ended the client
	own          []string        // tables of earlier rounds that are there and that it may change
	number       int             // of objects named so far
	acknowledged []string        // statements the client knows to be durable, in its order
	units        chan<- struct{} // told of each acknowledged unit
	unexpected   error
}

// newWriters makes the clients of one round: four sessions of a driver, a psql,
// and one that uses the admin API. Tables of earlier rounds are divided among
// them.
func newWriters(t *testing.T, d database, seed uint64, round int, h history, units chan<- struct{}) []*crashWriter {
	t.Helper()
	var writers []*crashWriter
	for i := range 6 {
		w := &crashWriter{
			name:     fmt.Sprintf("r%d_w%d", round, i),
			random:   rand.New(rand.NewPCG(seed, uint64(round*100+i+1))),
			database: d,
			units:    units,
		}
		switch i {
		case 4:
			w.kind, w.loop = "psql", w.psql
		case 5:
			w.kind, w.loop = "the API", w.api
		default:
			w.kind, w.loop, w.conn = "a driver", w.driver, d.connect(t)
		}
		writers = append(writers, w)
	}
	for i, name := range slices.Sorted(maps.Keys(h.tables)) {
		w := writers[i%len(writers)]
		w.own = append(w.own, name)
	}
	return writers
}

// run changes the schema until an error that comes of the program's death.
func (w *crashWriter) run() {
	err := w.loop()
	var refused *pgconn.PgError
	if errors.As(err, &refused) && !strings.HasPrefix(refused.Code, "57P") && !strings.HasPrefix(refused.Code, "08") {
		w.unexpected = fmt.Errorf("%s: %w", w.name, err)
	}
}

// driver sends units in every way that a driver can.
func (w *crashWriter) driver() error {
	kinds := []func() error{w.simple, w.extended, w.message, w.transaction, w.rolledBack, w.block, w.pipeline}
	for {
		if err := kinds[w.random.IntN(len(kinds))](); err != nil {
			return err
		}
	}
}

// sent notes statements as acknowledged if err, the outcome of their unit, is
// nil.
func (w *crashWriter) sent(err error, statements ...string) error {
	if err == nil {
		w.told(statements...)
	}
	return err
}

// told notes statements of one unit as acknowledged.
func (w *crashWriter) told(statements ...string) {
	w.acknowledged = append(w.acknowledged, statements...)
	w.units <- struct{}{}
}

// statement makes a table, or changes or drops one of those it was given.
func (w *crashWriter) statement() string {
	w.number++
	if len(w.own) == 0 || w.random.IntN(2) == 0 {
		return fmt.Sprintf("CREATE TABLE %s_t%d (id int)", w.name, w.number)
	}
	i := w.random.IntN(len(w.own))
	table := w.own[i]
	if w.random.IntN(3) == 0 {
		return fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s_c%d int", table, w.name, w.number)
	}
	w.own = slices.Delete(w.own, i, i+1)
	return "DROP TABLE " + table
}

func (w *crashWriter) simple() error {
	s := w.statement()
	return w.sent(exec1(w.conn, s), s)
}

func (w *crashWriter) extended() error {
	s := w.statement()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := w.conn.ExecParams(ctx, s, nil, nil, nil, nil).Close()
	return w.sent(err, s)
}

func (w *crashWriter) message() error {
	a, b := w.statement(), w.statement()
	return w.sent(exec1(w.conn, a+"; SELECT 1; "+b), a, b)
}

func (w *crashWriter) transaction() error {
	a, undone, b := w.statement(), fmt.Sprintf("CREATE TABLE %s_undone%d (id int)", w.name, w.number), w.statement()
	for _, s := range []string{"BEGIN", a, "SAVEPOINT s", undone, "ROLLBACK TO s", b} {
		if err := exec1(w.conn, s); err != nil {
			return err
		}
	}
	return w.sent(exec1(w.conn, "COMMIT"), a, b)
}

func (w *crashWriter) rolledBack() error {
	w.number++
	for _, s := range []string{"BEGIN", fmt.Sprintf("CREATE TABLE %s_undone%d (id int)", w.name, w.number), "ROLLBACK"} {
		if err := exec1(w.conn, s); err != nil {
			return err
		}
	}
	return nil
}

func (w *crashWriter) block() error {
	a, b := w.statement(), w.statement()
	return w.sent(exec1(w.conn, fmt.Sprintf("DO $do$ BEGIN EXECUTE '%s'; %s; END $do$", a, b)), a, b)
}

func (w *crashWriter) pipeline() error {
	a, b := w.statement(), w.statement()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p := w.conn.StartPipeline(ctx)
	p.SendQueryParams(a, nil, nil, nil, nil)
	p.SendQueryParams(b, nil, nil, nil, nil)
	if err := p.Sync(); err != nil {
		return err
	}
	return w.sent(p.Close(), a, b)
}

// psql gives psql a script without an end, and reads the tags that it prints:
// what psql has said, the client was told.
func (w *crashWriter) psql() error {
	cmd := exec.Command("psql", "-X", "-v", "ON_ERROR_STOP=1", w.database.url)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer cmd.Wait() //nolint:errcheck // it ends because its server died
	defer in.Close()
	tags := bufio.NewScanner(out)
	for {
		s := w.statement()
		if _, err := fmt.Fprintln(in, s+";"); err != nil {
			return err
		}
		if !tags.Scan() {
			return errors.New("psql has ended")
		}
		w.told(s)
	}
}

// api sends one statement after the other to the admin API.
func (w *crashWriter) api() error {
	for {
		s := w.statement()
		status, err := w.database.installation.post("/workspaces/"+w.database.id+"/queries", map[string]string{"query": s})
		if err != nil || status != http.StatusOK {
			return errors.Join(err, fmt.Errorf("status %d", status))
		}
		w.told(s)
	}
}

// post is call for a program that may die meanwhile. An answer counts once all
// of it has arrived.
func (in *installation) post(path string, body any) (status int, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, in.AdminURL+path, bytes.NewReader(text))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+in.APIKey)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var answer map[string]any
	return response.StatusCode, json.NewDecoder(response.Body).Decode(&answer)
}
