package test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// crashWriter is one client that changes the schema until the program dies. No
// two statements of the whole test have the same text.
type crashWriter struct {
	name    string // begins the names of its tables
	kind    string
	loop    func() error     // ends with the error that ended the client
	refused func(error) bool // a server that is alive gave the error

	random       *rand.Rand
	own          []string        // tables of earlier rounds that are there and that it may change
	number       int             // of objects named so far
	acknowledged []string        // statements the client knows to be durable, in its order
	units        chan<- struct{} // told of each acknowledged unit
	unexpected   error
}

// run changes the schema until an error that comes of the program's death.
func (w *crashWriter) run() {
	if err := w.loop(); w.refused(err) {
		w.unexpected = fmt.Errorf("%s: %w", w.name, err)
	}
}

// mustFind looks that what the client was told is there, in its order, among
// what was added to the queue.
func (w *crashWriter) mustFind(t *testing.T, added map[string]int) {
	t.Helper()
	last := -1
	for _, words := range w.acknowledged {
		i, recorded := added[words]
		if !recorded {
			t.Errorf("acknowledged to %s and lost: %s", w.name, words)
			continue
		}
		if i < last {
			t.Errorf("recorded before what %s had sent earlier: %s", w.name, words)
		}
		last = i
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

// program gives a client program a script without an end, in which behind follows
// each statement, and reads the line that it prints then: what it has printed, it
// was told.
func (w *crashWriter) program(behind, name string, args ...string) error {
	cmd := exec.Command(name, args...)
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
	lines := bufio.NewScanner(out)
	for {
		s := w.statement()
		if _, err := fmt.Fprintln(in, s+behind); err != nil {
			return err
		}
		if !lines.Scan() {
			return fmt.Errorf("%s has ended", name)
		}
		w.told(s)
	}
}

// api sends one statement after the other to the admin API.
func (w *crashWriter) api(d database) error {
	for {
		s := w.statement()
		if err := d.query(s); err != nil {
			return err
		}
		w.told(s)
	}
}

// query runs a statement by the admin API of a program that may die meanwhile. An
// answer counts once all of it has arrived.
func (d database) query(statement string) error {
	text, err := json.Marshal(map[string]string{"query": statement})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	in := d.installation
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, in.AdminURL+"/workspaces/"+d.id+"/queries", bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+in.APIKey)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer map[string]any
	err = json.NewDecoder(response.Body).Decode(&answer)
	if response.StatusCode != http.StatusOK {
		err = errors.Join(err, fmt.Errorf("status %d", response.StatusCode))
	}
	return err
}
