package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestStartupParametersReachTheSession(t *testing.T) {
	w := newWorld(t)
	c := w.connect(t, "application_name", "till", "options", "-c geqo=off -c my.flag=on", "search_path", "shop, public", "DateStyle", "German")
	for sql, want := range map[string]string{
		"show application_name": "till",
		"show geqo":             "off",
		"show my.flag":          "on",
		"show search_path":      "shop, public",
		"show datestyle":        "German, DMY",
	} {
		if got := one(t, c, sql); got != want {
			t.Errorf("%s: got %q, want %q", sql, got, want)
		}
	}
	if got := c.ParameterStatus("application_name"); got != "till" {
		t.Errorf("reported application_name: got %q, want till", got)
	}
	if got, want := c.ParameterStatus("server_version"), w.direct(t).ParameterStatus("server_version"); got != want {
		t.Errorf("reported server_version: got %q, want %q", got, want)
	}
}

// refusal is the error that a login ends with.
func refusal(t *testing.T, c *pgconn.Config) *pgconn.PgError {
	t.Helper()
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	conn, err := pgconn.ConnectConfig(ctx, c)
	if err == nil {
		conn.Close(ctx)
		t.Fatal("got a session, want a refusal")
	}
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		t.Fatalf("got %v, want an error of PostgreSQL", err)
	}
	return pgErr
}

func TestABadStartupParameterGetsTheServersOwnError(t *testing.T) {
	w := newWorld(t)
	server := theServer.start(t)
	for name, value := range map[string]string{"work_mem": "much", "no_such_parameter": "1", "options": "-c geqo=perhaps", "session_authorization": "postgres", "role": "postgres", "log_statement": "all"} {
		proxied := w.config(t)
		proxied.RuntimeParams[name] = value
		direct, err := pgconn.ParseConfig("host=localhost sslmode=disable")
		if err != nil {
			t.Fatal(err)
		}
		direct.Host, direct.Port = server.SocketDir(), uint16(server.Port())
		direct.User, direct.Password, direct.Database = w.route.Role, w.route.Password, w.route.Database
		direct.RuntimeParams[name] = value
		got, want := refusal(t, proxied), refusal(t, direct)
		if got.Code != want.Code || got.Message != want.Message || got.Severity != want.Severity {
			t.Errorf("%s: got %s %s %q, want %s %s %q", name, got.Severity, got.Code, got.Message, want.Severity, want.Code, want.Message)
		}
	}
}

// greeting is what a raw startup is answered with, up to the offer to
// authenticate or the end.
func (w *world) greeting(t *testing.T, startup []byte) []message {
	t.Helper()
	conn := w.dialTLS(t)
	if _, err := conn.Write(startup); err != nil {
		t.Fatal(err)
	}
	wire := &wire{t: t, conn: conn}
	var all []message
	for {
		m, err := wire.receive()
		if err != nil {
			return all
		}
		all = append(all, m)
		if m.typ == 'R' {
			return all
		}
	}
}

func TestProtocolVersionsAreNegotiated(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		startup []byte
		want    string // body of NegotiateProtocolVersion; empty: none
	}{
		"3.0":             {startupMessage(0, "user", "u"), ""},
		"3.2":             {startupMessage(2, "user", "u"), ""},
		"3.9999":          {startupMessage(9999, "user", "u"), "\x00\x03\x00\x02\x00\x00\x00\x00"},
		"unknown option":  {startupMessage(0, "user", "u", "_pq_.grease", "1", "_pq_.b", ""), "\x00\x03\x00\x00\x00\x00\x00\x02_pq_.grease\x00_pq_.b\x00"},
		"both of unknown": {startupMessage(3, "user", "u", "_pq_.x", "1"), "\x00\x03\x00\x02\x00\x00\x00\x01_pq_.x\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			all := w.greeting(t, c.startup)
			got := ""
			if all[0].typ == 'v' {
				got, all = string(all[0].body), all[1:]
			}
			if got != c.want {
				t.Errorf("negotiation: got %q, want %q", got, c.want)
			}
			if types(all) != "R" {
				t.Errorf("then: got %s, want the offer to authenticate", types(all))
			}
		})
	}
}

func TestMalformedStartupsAreRefused(t *testing.T) {
	w := newWorld(t)
	long := startupMessage(0, "user", "u", "application_name", strings.Repeat("x", maxStartup))
	for name, c := range map[string]struct {
		startup []byte
		code    string
	}{
		"too long":             {long[:8], codeProtocolViolation},
		"too short":            {word(7), codeProtocolViolation},
		"no user":              {startupMessage(0, "database", "d"), codeInvalidAuthorization},
		"nothing":              {startupMessage(0), codeInvalidAuthorization},
		"no terminator":        {append(word(13), append(word(protocolMajor<<16), "user\x01"...)...), codeProtocolViolation},
		"name without value":   {startupMessage(0, "user"), codeProtocolViolation},
		"name not of settings": {startupMessage(0, "user", "u", "a b", "x"), codeProtocolViolation},
		"bytes after the end":  {startupMessage(0, "user", "u", "", "x"), codeProtocolViolation},
		"protocol 2":           {append(word(8), word(2<<16)...), codeProtocolViolation},
		"protocol 4":           {append(word(8), word(4<<16)...), codeProtocolViolation},
		"physical replication": {startupMessage(0, "user", "u", "replication", "true"), codeFeatureNotSupported},
		"logical replication":  {startupMessage(0, "user", "u", "replication", "database"), codeFeatureNotSupported},
	} {
		t.Run(name, func(t *testing.T) {
			startup := c.startup
			if len(startup) < 8 {
				startup = append(startup, make([]byte, 8-len(startup))...)
			}
			all := w.greeting(t, startup)
			if len(all) != 1 || all[0].typ != 'E' || all[0].field('C') != c.code || all[0].field('S') != "FATAL" {
				t.Errorf("got %v, want FATAL %s", all, c.code)
			}
			if strings.Contains(w.log.String(), strings.Repeat("x", 100)) {
				t.Error("the log holds a parameter's value")
			}
		})
	}
}

func TestReplicationOffIsNoReplication(t *testing.T) {
	w := newWorld(t)
	if got := one(t, w.connect(t, "replication", "false"), "select 1"); got != "1" {
		t.Errorf("got %q, want 1", got)
	}
}

// The backend's own settings are the client's, whatever the environment of the
// proxy says to PostgreSQL clients.
func TestTheEnvironmentDoesNotReachTheBackend(t *testing.T) {
	w := newWorld(t)
	config := w.config(t)
	for name, value := range map[string]string{
		"PGOPTIONS": "-c geqo=off", "PGAPPNAME": "planted", "PGTZ": "Asia/Tokyo", "PGTARGETSESSIONATTRS": "read-only",
		"PGPASSWORD": "planted", "PGUSER": "planted", "PGHOST": "planted.invalid", "PGPORT": "1", "PGSSLMODE": "verify-full",
		"PGREQUIREAUTH": "none", "PGCHANNELBINDING": "require", "PGMINPROTOCOLVERSION": "3.2", "PGCONNECT_TIMEOUT": "1",
	} {
		t.Setenv(name, value)
	}
	c := dialConfig(t, config)
	for sql, want := range map[string]string{"show geqo": "on", "show application_name": "", "select current_user::text": w.route.Role} {
		if got := one(t, c, sql); got != want {
			t.Errorf("%s: got %q, want %q", sql, got, want)
		}
	}
}
