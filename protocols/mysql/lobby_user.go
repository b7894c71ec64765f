package mysql

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// changeUser lets the client authenticate anew, by the same rules as when it
// came: it leaves the lobby where it names a database, or where its project has
// just one, and else begins there as new.
func (l *lobby) changeUser(ctx context.Context, command []byte) (workspace.Route, error) {
	next, err := parseChangeUser(command)
	if err != nil {
		return workspace.Route{}, errors.Join(l.refuse(malformed()), err)
	}
	st := &startup{
		talk:     talk{conn: l.startup.conn, sequence: l.sequence, switches: true, plugin: next.plugin},
		user:     next.user,
		database: next.database,
	}
	login, err := l.protocol.login(ctx, st)
	if err != nil {
		return workspace.Route{}, errors.Join(st.refuse(noLogins()), err)
	}
	last, err := st.authenticate(login)
	if err != nil {
		l.protocol.guard.Failed(ctx, l.startup.conn.RemoteAddr())
		return workspace.Route{}, errors.Join(st.refuse(accessDenied(st.user)), errChangeUser, err)
	}
	if last != nil {
		if err := st.send(last); err != nil {
			return workspace.Route{}, fmt.Errorf("write frontend: %w", err)
		}
	}
	l.user, l.database, l.sequence = st.user, st.database, st.sequence
	l.begin(next.charset)
	if len(l.remembered) > 0 && !l.knowsCollation(ctx) {
		l.begin(0)
	}
	if login.Route.Live == nil {
		return workspace.Route{}, l.ok()
	}
	return login.Route, nil
}

// knowsCollation says whether a server takes the collation that was asked for. One
// that does not uses its own, as for a login with the number 0.
func (l *lobby) knowsCollation(ctx context.Context) bool {
	err := l.errand(ctx, l.capabilities, func(*backend) error { return nil })
	return numberOf(err) != mysql.ER_UNKNOWN_COLLATION
}

// begin makes the session as new. A collation whose number does not fit into a
// login, where it has one byte, is set behind it; MariaDB takes the number of
// every collation for the connection only.
func (l *lobby) begin(charset uint16) {
	l.remembered, l.prepared, l.charset, l.status = nil, nil, byte(charset), mysql.SERVER_STATUS_AUTOCOMMIT
	if charset > 0xff {
		l.charset = greetingCharset
		l.remembered = []setting{
			{text: fmt.Sprintf("SET collation_connection=%d", charset)},
			{text: "SET character_set_client=@@character_set_connection,character_set_results=@@character_set_connection"},
		}
	}
}
