package postgres

import (
	"context"
	"os"
	osexec "os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestChannelBinding(t *testing.T) {
	w := newWorld(t)
	for _, mode := range []string{"disable", "prefer", "require"} {
		c := w.config(t)
		c.ChannelBinding = mode
		if got := one(t, dialConfig(t, c), "select 1"); got != "1" {
			t.Errorf("channel_binding=%s: got %q, want 1", mode, got)
		}
	}
}

// psql runs the real client against the proxy and gives what it prints.
func (w *world) psql(t testing.TB, conninfo string, input string, args ...string) (string, error) {
	t.Helper()
	host, port, _ := strings.Cut(w.addr, ":")
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	conninfo = "host=" + host + " port=" + port + " user=" + testUser + " dbname=" + w.route.Database + " sslmode=verify-full " + conninfo
	cmd := osexec.CommandContext(ctx, "psql", append([]string{"-X", "-A", "-t", conninfo}, args...)...)
	cmd.Env = append(os.Environ(), "PGSSLROOTCERT="+w.cert.File(t), "PGPASSWORD="+testPassword)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func TestPsqlLogsInWithChannelBinding(t *testing.T) {
	w := newWorld(t)
	out, err := w.psql(t, "channel_binding=require", "", "-c", "select 'in'")
	if err != nil || out != "in" {
		t.Errorf("got %q, %v, want in", out, err)
	}
}

// A client that could bind and says that the server can't is being lied to by
// somebody between.
func TestADowngradeOfChannelBindingIsRefused(t *testing.T) {
	w := newWorld(t)
	for name, first := range map[string][2]string{
		"says the server can't":              {mechanism, "y,,n=,r=clientnonce"},
		"binds with the mechanism without":   {mechanism, "p=tls-server-end-point,,n=,r=clientnonce"},
		"does not bind with the one that is": {mechanismPlus, "n,,n=,r=clientnonce"},
		"binds to something else":            {mechanismPlus, "p=tls-unique,,n=,r=clientnonce"},
	} {
		t.Run(name, func(t *testing.T) {
			conn := w.dialTLS(t)
			wire := &wire{t: t, conn: conn}
			wire.send(startupOf(w))
			wire.next()
			wire.send(frame('p', str(first[0]), word(len(first[1])), []byte(first[1])))
			if all := wire.rest(); types(all) != "E" || all[0].field('C') != codeInvalidPassword {
				t.Errorf("got %v, want a failed authentication", all)
			}
		})
	}
}

// failedLogin is how a login of that user fails and how long that takes.
func failedLogin(t *testing.T, w *world, user, database, password string) (*pgconn.PgError, time.Duration) {
	t.Helper()
	c := w.config(t)
	c.User, c.Database, c.Password = user, database, password
	began := time.Now()
	err := refusal(t, c)
	return err, time.Since(began)
}

func TestFailedLoginsLookAlike(t *testing.T) {
	w := newWorld(t)
	kinds := map[string][3]string{
		"wrong password":   {testUser, w.route.Database, "wrong"},
		"unknown user":     {"nobody", w.route.Database, testPassword},
		"unknown database": {testUser, "nowhere", testPassword},
		"another role":     {w.route.Role, w.route.Database, w.route.Password},
	}
	for name, k := range kinds {
		w.connect(t) // a login that succeeds takes the delay back to its first step
		err, took := failedLogin(t, w, k[0], k[1], k[2])
		want := `password authentication failed for user "` + k[0] + `"`
		if err.Code != codeInvalidPassword || err.Message != want || err.Severity != "FATAL" || err.Hint+err.Detail != "" {
			t.Errorf("%s: got %+v, want %q", name, err, want)
		}
		// All go the same way through SCRAM and the same delay; how long that
		// takes beyond it is the machine's affair.
		if took < 100*time.Millisecond {
			t.Errorf("%s: failed after %v, want the delay of a first failure", name, took)
		}
	}
}

func TestFailedLoginsAreSlowedDownMoreAndMore(t *testing.T) {
	w := newWorld(t)
	var last time.Duration
	for n := range 5 {
		_, took := failedLogin(t, w, testUser, w.route.Database, "wrong")
		if least := 100 * time.Millisecond << n; took < least {
			t.Errorf("failure %d took %v, want at least %v", n+1, took, least)
		}
		last = took
	}
	w.connect(t)
	if _, took := failedLogin(t, w, testUser, w.route.Database, "wrong"); took >= last {
		t.Errorf("after a login that succeeded a failure takes %v, want less than %v", took, last)
	}
}
