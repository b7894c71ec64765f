package mysql

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// errNoStay ends a login without a workspace where too many of them are open.
var errNoStay = errors.New("no room for a login without a database")

// What a client may have remembered in the lobby, and how much of a statement
// is searched for a database's name.
const (
	maxRemembered = 32
	maxLobbyText  = 4 << 10
	maxLobbyNames = 64
)

// lobby is where a client waits that has authenticated, but named none of its
// project's several workspaces. It has no backend of its own there: what needs no
// database runs as an errand. It leaves by COM_INIT_DB or USE, whose OK is then
// the backend's own, or by a statement that names one of its databases, as
// mysqldump does. What it set before is remembered for the backend.
type lobby struct {
	*startup
	protocol *Protocol
	numbered uint32 // statements that were prepared
	latest   uint32 // the number of the last one; 0 where it failed
	status   uint16 // what OKs say of the session
}

// admit lets an authenticated client into the lobby, until it names a database.
func (l *lobby) admit(ctx context.Context, last []byte) (workspace.Route, error) {
	lasting, ok := protocols.Stay(ctx)
	if !ok {
		return workspace.Route{}, errors.Join(l.refuse(noneSelected()), errNoStay)
	}
	defer context.AfterFunc(lasting, func() { _ = l.startup.conn.SetReadDeadline(window.Past) })()
	if last != nil {
		if err := l.send(last); err != nil {
			return workspace.Route{}, fmt.Errorf("let into the lobby: %w", err)
		}
	}
	if err := l.ok(); err != nil {
		return workspace.Route{}, err
	}
	for {
		l.sequence = 0
		command, err := l.receive(maxStartup)
		if lasting.Err() != nil {
			return workspace.Route{}, l.refuse(reasonFailure(protocols.Draining, nil))
		}
		if err != nil {
			return workspace.Route{}, leftLobby(err)
		}
		route, err := l.answer(lasting, command)
		if err != nil || route.Live != nil {
			return route, err
		}
	}
}

// leftLobby is the end of a client that went without a word.
func leftLobby(err error) error {
	if _, broken := errors.AsType[net.Error](err); broken {
		return fmt.Errorf("read command: %w", err)
	}
	return protocols.ErrServed
}

// answer does what needs no database. The route's Live is nil while none is
// chosen.
func (l *lobby) answer(ctx context.Context, command []byte) (workspace.Route, error) {
	if len(command) == 0 {
		return workspace.Route{}, l.refuse(malformed())
	}
	switch command[0] {
	case mysql.COM_QUIT:
		return workspace.Route{}, protocols.ErrServed
	case mysql.COM_PING:
		return workspace.Route{}, l.ok()
	case mysql.COM_RESET_CONNECTION:
		l.begin(uint16(l.charset))
		return workspace.Route{}, l.ok()
	case mysql.COM_CHANGE_USER:
		return l.changeUser(ctx, command)
	case mysql.COM_INIT_DB:
		return l.use(ctx, string(command[1:]))
	case mysql.COM_QUERY:
		return l.query(ctx, command)
	case mysql.COM_SET_OPTION:
		return workspace.Route{}, l.setOption(ctx, command)
	case mysql.COM_STATISTICS:
		return workspace.Route{}, l.statistics(ctx)
	case mysql.COM_PROCESS_KILL:
		f := fields{b: command[1:]}
		return workspace.Route{}, l.kill(ctx, kill{before: "KILL ", id: uint64(f.uint32())})
	case mysql.COM_STMT_PREPARE:
		return l.prepare(ctx, command)
	case mysql.COM_STMT_EXECUTE, mysql.COM_STMT_FETCH, mysql.COM_STMT_RESET, mysql.COM_STMT_CLOSE:
		return workspace.Route{}, l.withPrepared(ctx, command)
	case mysql.COM_STMT_SEND_LONG_DATA:
		l.keepLong(command) // has no reply
		return workspace.Route{}, nil
	}
	return workspace.Route{}, l.say(noneSelected())
}

// query looks at a COM_QUERY.
func (l *lobby) query(ctx context.Context, command []byte) (workspace.Route, error) {
	text := l.capabilities.queryText(command[1:])
	if name, ok := parseUse(text); ok {
		return l.use(ctx, name)
	}
	if len(text) > maxLobbyText {
		return workspace.Route{}, l.say(noneSelected())
	}
	if k, ok := parseKill(text); ok {
		return workspace.Route{}, l.kill(ctx, k)
	}
	if gtidQuestion.Match(text) {
		return workspace.Route{}, l.noRows("Variable_name", "Value")
	}
	if sent, err := l.runErrand(ctx, string(text)); sent {
		return workspace.Route{}, err
	}
	return l.leave(ctx, string(text), command)
}

// leave finds a database that the text of a command names. The command waits for
// that database's backend.
func (l *lobby) leave(ctx context.Context, text string, command []byte) (workspace.Route, error) {
	for _, name := range namesIn(text) {
		login, err := l.protocol.config.Directory.Login(ctx, workspace.MySQL, l.user, name)
		if err != nil {
			return workspace.Route{}, errors.Join(l.refuse(noLogins()), err)
		}
		if login.Known {
			l.database = name
			l.waiting = appendPacket(nil, 0, command)
			return login.Route, nil
		}
	}
	return workspace.Route{}, l.say(noneSelected())
}

// namesIn is the words of a statement that may name a database, quoted or not.
func namesIn(text string) []string {
	names := strings.FieldsFunc(text, func(c rune) bool {
		return strings.ContainsRune(" \t\r\n,;.()='\"`", c)
	})
	return names[:min(len(names), maxLobbyNames)]
}

// use finds the database of that name; the client has shown the password that
// all databases of its user share.
func (l *lobby) use(ctx context.Context, name string) (workspace.Route, error) {
	login, err := l.protocol.config.Directory.Login(ctx, workspace.MySQL, l.user, name)
	if err != nil {
		return workspace.Route{}, errors.Join(l.refuse(noLogins()), err)
	}
	if !login.Known {
		return workspace.Route{}, l.say(notListed(name))
	}
	l.database = name
	return login.Route, nil
}

// say answers a command with an error after which the client may go on.
func (l *lobby) say(f *failure) error {
	if _, err := l.conn.Write(l.put(f).append(nil, l.sequence)); err != nil {
		return fmt.Errorf("write frontend: %w", err)
	}
	return nil
}

func (l *lobby) ok() error {
	if err := l.send([]byte{mysql.OK_HEADER, 0, 0, byte(l.status), byte(l.status >> 8), 0, 0}); err != nil {
		return fmt.Errorf("write frontend: %w", err)
	}
	return nil
}

// parseUse reads USE and a database's name, quoted or not.
func parseUse(text []byte) (name string, ok bool) {
	statement := strings.TrimSpace(strings.TrimRight(string(text), "; \t\r\n"))
	word, name, found := strings.Cut(statement, " ")
	name = strings.TrimSpace(name)
	if !found || !strings.EqualFold(word, "use") || name == "" {
		return "", false
	}
	if inner, quoted := strings.CutPrefix(name, "`"); quoted {
		inner, quoted = strings.CutSuffix(inner, "`")
		return strings.ReplaceAll(inner, "``", "`"), quoted
	}
	return name, !strings.ContainsAny(name, " \t\r\n;'\"`")
}

// notListed is for a database that can't be chosen.
func notListed(name string) *failure {
	why := "your project has no MySQL workspace of that name"
	if strings.EqualFold(name, catalogDatabase) {
		why = "choose one of your workspaces' first"
	}
	return failf(mysql.ER_DBACCESS_DENIED_ERROR, stateSyntaxOrRight, "Access denied to database '%s': %s", name, why)
}

func noneSelected() *failure {
	return failf(mysql.ER_NO_DB_ERROR, "3D000", "No database selected: your project has not just one MySQL workspace; name the database in the connection, or by USE")
}
