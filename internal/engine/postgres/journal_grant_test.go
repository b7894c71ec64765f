package postgres

import "testing"

// A session in a transaction may remember a table by a name that another session
// has changed since; a GRANT by that name would replay on no table, or another.
func TestAGrantFindsNoTableByANameThatItHadBefore(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s, other := newSession(t, target), newSession(t, target)
	s.run("CREATE TABLE a (i int); CREATE TABLE w (i int)")
	for range 3 { // the first times the server has more to look up, and hears of the other
		s.run("SELECT FROM a")
		s.run("BEGIN; GRANT SELECT ON w TO PUBLIC; REVOKE SELECT ON w FROM PUBLIC")
		other.run("ALTER TABLE a RENAME TO b")
		for _, statement := range []string{"GRANT SELECT ON a TO PUBLIC", "REVOKE ALL ON a FROM PUBLIC"} {
			s.run("SAVEPOINT s")
			if err := s.fail(statement); sqlState(err) != "42P01" {
				t.Errorf("%s: got %v, want 42P01", statement, err)
			}
			s.run("ROLLBACK TO s")
		}
		s.run("COMMIT")
		other.run("ALTER TABLE b RENAME TO a")
	}
	wantReplay(t, e, target, taken(t, e, target))
}
