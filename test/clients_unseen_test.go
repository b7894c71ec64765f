package test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
)

// TestStatementsThatTheServerDoesNotReport wants EXPLAIN ANALYZE of a statement
// that makes a table, and CLUSTER … USING, to answer as the server does and to be
// in the queue, once, as what they did to the schema.
func TestStatementsThatTheServerDoesNotReport(t *testing.T) {
	for _, way := range queryProtocols {
		t.Run(way.name, func(t *testing.T) {
			d := shared.workspace(t, "unseen-"+way.name, "tenant")
			l := d.login(t)
			l.psql(t, "CREATE TABLE t (id int PRIMARY KEY)")
			queued := len(d.queue(t))
			conn := l.connect(t)
			for _, s := range []struct{ statement, tag, ddl string }{
				{"EXPLAIN ANALYZE CREATE TABLE made AS SELECT 1 AS id", "EXPLAIN", "CREATE TABLE public.made (id integer)"},
				{"EXPLAIN (COSTS off, ANALYZE, FORMAT json) SELECT 2 AS n INTO made2", "EXPLAIN", "CREATE TABLE public.made2 (n integer)"},
				{"/* first */ CLUSTER t USING t_pkey", "CLUSTER", "ALTER TABLE t CLUSTER ON t_pkey"},
				{"CLUSTER t USING t_pkey", "CLUSTER", ""},
			} {
				rows, err := conn.Query(t.Context(), s.statement, way.mode)
				if err != nil {
					t.Fatalf("%s: %v", s.statement, err)
				}
				plan := 0
				for rows.Next() {
					if fields := rows.FieldDescriptions(); len(fields) != 1 || fields[0].Name != "QUERY PLAN" {
						t.Errorf("%s: columns %+v", s.statement, fields)
					}
					plan++
				}
				if err := rows.Err(); err != nil {
					t.Fatalf("%s: %v", s.statement, err)
				}
				if got := rows.CommandTag().String(); got != s.tag || (plan > 0) != (s.tag == "EXPLAIN") {
					t.Errorf("%s: tag %s, %d rows", s.statement, got, plan)
				}
				pending := d.queue(t)[queued:]
				switch {
				case s.ddl == "" && len(pending) == 0:
				case s.ddl == "" || len(pending) != 1 || pending[0].DDL != s.ddl:
					t.Errorf("%s: queued as %+v, want %s", s.statement, pending, s.ddl)
				}
				queued += len(pending)
			}
			tx, err := conn.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(t.Context(), "EXPLAIN ANALYZE CREATE TABLE undone AS SELECT 1", way.mode); err != nil {
				t.Fatal(err)
			}
			if err := tx.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, err = conn.Exec(t.Context(), "CLUSTER t USING nobody", way.mode)
			wantCode(t, "an index that is not there", err, "42704")
			if n := len(d.queue(t)); n != queued {
				t.Errorf("%d statements are queued, want %d", n, queued)
			}
			alive(t, conn)
		})
	}
}

// TestParametersOfStatementsThatTheServerDoesNotReport wants such a statement to
// take parameters, with types that the client gives and such that the server
// finds out.
func TestParametersOfStatementsThatTheServerDoesNotReport(t *testing.T) {
	d := shared.workspace(t, "unseen-parameters", "tenant")
	l := d.login(t)
	conn := l.connect(t).PgConn()
	for i, types := range [][]uint32{nil, {pgtype.Int8OID}, {0}} {
		name := fmt.Sprintf("made%d", i)
		column := "$1"
		if types == nil || types[0] == 0 {
			column = "$1::int8"
		}
		prepared, err := conn.Prepare(t.Context(), name, "EXPLAIN ANALYZE CREATE TABLE "+name+" AS SELECT "+column+" AS id", types)
		if err != nil {
			t.Fatal(err)
		}
		if len(prepared.ParamOIDs) != 1 || prepared.ParamOIDs[0] != pgtype.Int8OID {
			t.Errorf("%s: parameters %v", name, prepared.ParamOIDs)
		}
		result := conn.ExecPrepared(t.Context(), name, [][]byte{[]byte("7")}, nil, nil).Read()
		if result.Err != nil || result.CommandTag.String() != "EXPLAIN" {
			t.Fatalf("%s: %s, %v", name, result.CommandTag, result.Err)
		}
		pending := d.queue(t)
		if len(pending) != i+1 || pending[i].DDL != "CREATE TABLE public."+name+" (id bigint)" {
			t.Errorf("%s: queued %+v", name, pending)
		}
		if rows := conn.ExecParams(t.Context(), "SELECT id FROM "+name, nil, nil, nil, nil).Read().Rows; len(rows) != 1 || string(rows[0][0]) != "7" {
			t.Errorf("%s: holds %q", name, rows)
		}
	}
}

// TestARevivedIndexIsQueued wants an index that a failed CREATE INDEX
// CONCURRENTLY left behind to be in the queue once REINDEX has made it valid,
// before what is done with it.
func TestARevivedIndexIsQueued(t *testing.T) {
	d := shared.workspace(t, "revived", "tenant")
	l := d.login(t)
	l.psql(t, "CREATE TABLE t (id int)", "INSERT INTO t VALUES (1), (1)")
	conn := l.connect(t)
	_, err := conn.Exec(t.Context(), "CREATE UNIQUE INDEX CONCURRENTLY t_id ON t (id)")
	wantCode(t, "a unique index of what is not", err, "23505")
	if got := d.queue(t); len(got) != 1 {
		t.Errorf("queued before: %+v", got)
	}
	l.psql(t, "TRUNCATE t", "REINDEX INDEX CONCURRENTLY t_id", "ALTER INDEX t_id RENAME TO t_key")
	var got []string
	for _, e := range d.queue(t) {
		got = append(got, e.DDL)
	}
	want := []string{"CREATE TABLE t (id int)", "CREATE UNIQUE INDEX t_id ON public.t USING btree (id)", "ALTER INDEX t_id RENAME TO t_key"}
	if !slices.Equal(got, want) {
		t.Errorf("queued %q, want %q", got, want)
	}
}
