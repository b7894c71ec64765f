package postgres

import "testing"

// A table's sequences and the indexes of its constraints keep clear of names that
// a transaction holds which then rolls back, or commits later: no record before
// has them.
func TestNamesOfATableMadeUpBesideAnOpenTransactionAreRecorded(t *testing.T) {
	const setup = "CREATE TABLE t (k int)"
	for _, test := range []struct{ name, held, run, want string }{
		{
			"serial", "CREATE TABLE t_a (b serial)", "ALTER TABLE t ADD a_b serial",
			"CREATE SEQUENCE public.t_a_b_seq1 AS integer;\n" +
				"ALTER TABLE t ADD a_b integer DEFAULT pg_catalog.nextval('public.t_a_b_seq1'::pg_catalog.regclass) NOT NULL;\n" +
				"ALTER SEQUENCE public.t_a_b_seq1 OWNED BY public.t.a_b",
		},
		{
			"unlogged serial", "CREATE TABLE t_a (b serial)", "CREATE UNLOGGED TABLE t_a_b (a_b bigserial, b serial); CREATE UNLOGGED TABLE u (b smallserial UNIQUE)",
			"",
		},
		{
			"identity", "CREATE TABLE t_a (b serial)", "ALTER TABLE t ADD a_b int GENERATED ALWAYS AS IDENTITY (START 3)",
			"ALTER TABLE t ADD a_b int GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME public.t_a_b_seq1 START 3)",
		},
		{
			"identity of a column that is there", "CREATE TABLE t_k (k serial); CREATE SEQUENCE t_k_seq", "ALTER TABLE t ALTER k SET NOT NULL, ALTER k ADD GENERATED ALWAYS AS IDENTITY",
			"ALTER TABLE t ALTER k SET NOT NULL, ALTER k ADD GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME public.t_k_seq1)",
		},
		{
			"unique", "CREATE TABLE t_a (b int UNIQUE)", "ALTER TABLE t ADD a_b int CHECK (a_b > 1) UNIQUE, ADD UNIQUE (k)",
			"ALTER TABLE t ADD a_b int CHECK (a_b > 1) CONSTRAINT t_a_b_key1 UNIQUE, ADD CONSTRAINT t_k_key UNIQUE (k)",
		},
		{
			"primary key", "CREATE TABLE t_pkey (i int)", "ALTER TABLE t ADD PRIMARY KEY (k)",
			"ALTER TABLE t ADD CONSTRAINT t_pkey1 PRIMARY KEY (k)",
		},
		{
			"exclusion", "CREATE TABLE t_r_excl (i int)", "ALTER TABLE t ADD r int4range, ADD EXCLUDE USING gist (r WITH &&)",
			"ALTER TABLE t ADD r int4range, ADD CONSTRAINT t_r_excl1 EXCLUDE USING gist (r WITH &&)",
		},
		{
			"of a partition", "CREATE TABLE p_pkey (i int)", "CREATE TABLE w (i int) PARTITION BY RANGE (i); CREATE TABLE p PARTITION OF w (PRIMARY KEY (i)) DEFAULT",
			"CREATE TABLE p PARTITION OF w (CONSTRAINT p_pkey1 PRIMARY KEY (i)) DEFAULT",
		},
		{
			"copied", "CREATE TABLE t_a (b int UNIQUE); CREATE TABLE c (a_b serial); CREATE SEQUENCE c_id_seq; CREATE TABLE c_a_idx (i int)",
			"CREATE TABLE s (id int GENERATED ALWAYS AS IDENTITY, a int UNIQUE); CREATE INDEX ON s (a); CREATE TABLE c_a (LIKE s INCLUDING ALL); CREATE TABLE c (LIKE s INCLUDING ALL, UNIQUE (id))",
			"",
		},
		{
			"nested", "CREATE TABLE t_pkey (i int)", "DO $$ BEGIN ALTER TABLE t ADD PRIMARY KEY (k); END $$",
			"ALTER TABLE t ADD CONSTRAINT t_pkey1 PRIMARY KEY (k)",
		},
	} {
		for _, end := range []string{"ROLLBACK", "COMMIT"} {
			t.Run(test.name+" "+end, func(t *testing.T) {
				e := newEngine(t)
				target := newTracked(t, e)
				holder, other := newSession(t, target), newSession(t, target)
				holder.run(setup)
				holder.run("BEGIN")
				holder.run(test.held)
				done := make(chan error, 1)
				go func() {
					_, err := other.conn.PgConn().Exec(t.Context(), test.run).ReadAll()
					done <- err
				}()
				awaitTold(t, e, target, done)
				holder.run("COMMENT ON TABLE t IS 'later'")
				holder.run(end)
				err := <-done
				got := changes(t, e, target)
				if test.want != "" && err == nil && got[1].Statement != test.want && got[2].Statement != test.want {
					t.Errorf("got %q, want %s", statements(got), test.want)
				}
				wantReplay(t, e, target, got)
			})
		}
	}
}

// Two clients make one table at once, and the first rolls back.
func TestATableMadeAgainBesideOneThatRollsBackIsRecordedWithItsNames(t *testing.T) {
	const (
		made = "CREATE TABLE IF NOT EXISTS t (id serial PRIMARY KEY, g int GENERATED ALWAYS AS IDENTITY, a int UNIQUE)"
		want = "CREATE SEQUENCE public.t_id_seq1 AS integer;\n" +
			"CREATE TABLE IF NOT EXISTS t (id integer DEFAULT pg_catalog.nextval('public.t_id_seq1'::pg_catalog.regclass) NOT NULL CONSTRAINT t_pkey PRIMARY KEY, " +
			"g int GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME public.t_g_seq1), a int CONSTRAINT t_a_key UNIQUE);\n" +
			"ALTER SEQUENCE public.t_id_seq1 OWNED BY public.t.id"
	)
	e := newEngine(t)
	target := newTracked(t, e)
	first, second := newSession(t, target), newSession(t, target)
	first.run("BEGIN")
	first.run(made)
	done := make(chan error, 1)
	go func() {
		_, err := second.conn.PgConn().Exec(t.Context(), made).ReadAll()
		done <- err
	}()
	awaitTold(t, e, target, done)
	first.run("ROLLBACK")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	got := changes(t, e, target)
	wantStatements(t, got, want)
	if c := got[0]; !c.Reversible || c.Reverse != "DROP TABLE IF EXISTS t;" || c.Object != "t" || len(c.References) > 0 {
		t.Errorf("got %+v", c)
	}
	wantReplay(t, e, target, got)
}

// Names that keep clear of what every replay has, or of nothing, cost no words.
func TestNamesThatAReplayMakesUpTooAreNotRecorded(t *testing.T) {
	statementsSent := []string{
		"CREATE TABLE t (id serial PRIMARY KEY, a int UNIQUE)",
		"CREATE SEQUENCE t_b_seq",
		"CREATE TABLE t_b_key (i int)",
		"ALTER TABLE t ADD b serial UNIQUE",
		"ALTER TABLE t ADD UNIQUE (a, b)",
	}
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	for _, sql := range statementsSent {
		s.run(sql)
	}
	got := changes(t, e, target)
	wantStatements(t, got, statementsSent...)
	wantReplay(t, e, target, got)
}

// What a name keeps clear of may be gone in the replay, where a transaction that
// began later has dropped it before the last command of the one with the name.
func TestANameThatALaterDropFreesIsRecorded(t *testing.T) {
	const (
		setup = "CREATE TABLE t_a (b int UNIQUE, c int); CREATE INDEX ON t_a (b); CREATE TABLE t (a_b int)"
		index = "CREATE INDEX ON t (a_b)"
		key   = "ALTER TABLE t ADD UNIQUE (a_b)"
		drop  = "DROP TABLE t_a"
		after = "CREATE VIEW v AS SELECT 1 AS one"
	)
	e := newEngine(t)
	target := newTracked(t, e)
	s, other := newSession(t, target), newSession(t, target)
	s.run(setup)
	taken(t, e, target)
	s.run("BEGIN")
	s.run(index)
	s.run(key)
	other.run(drop)
	s.run(after)
	s.run("COMMIT")
	wantStatements(t, taken(t, e, target), drop, "CREATE INDEX t_a_b_idx1 ON t (a_b)", "ALTER TABLE t ADD CONSTRAINT t_a_b_key1 UNIQUE (a_b)", after)
}
