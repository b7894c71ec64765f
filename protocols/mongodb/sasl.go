package mongodb

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"strings"

	"github.com/xdg-go/scram"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// The mechanisms that are offered: PLAIN for clients that name $external as
// their source, the other for all that follow saslSupportedMechs.
const (
	mechanismPlain = "PLAIN"
	mechanismSCRAM = "SCRAM-SHA-256"
)

// maxFailures is how many logins may fail on one connection.
const maxFailures = 3

// errTooManyFailures ends a connection.
var errTooManyFailures = errors.New("too many failed logins")

// sasl is a login under way.
type sasl struct {
	talk     *scram.ServerConversation
	user     string
	login    workspace.Login
	database string           // that was named by saslStart
	route    *workspace.Route // where that leads, once the login is done
	id       int32
	skip     bool // the client wants no empty exchange at the end
	proved   bool // only that exchange is left
	failures int
}

// saslStep does a step of a login with the command that body is, for the
// database. A failure of the login is a failure; an error ends the connection.
type saslStep func(ctx context.Context, body, database []byte) (doc []byte, f *failure, err error)

// saslStart begins a login.
func (st *startup) saslStart(ctx context.Context, body, database []byte) (doc []byte, f *failure, err error) {
	command := bsoncore.Document(body)
	if command.Validate() != nil {
		return nil, badRequest("saslStart is not well-formed"), nil
	}
	mechanism, _ := command.Lookup("mechanism").StringValueOK()
	_, payload, ok := command.Lookup("payload").BinaryOK()
	if !ok {
		text, isText := command.Lookup("payload").StringValueOK()
		if !isText {
			return nil, badRequest("saslStart has no payload"), nil
		}
		payload = []byte(text)
	}
	st.sasl.talk, st.sasl.login, st.sasl.proved = nil, workspace.Login{}, false
	st.sasl.database = string(database)
	st.sasl.id++
	st.sasl.skip, _ = command.Lookup("options", "skipEmptyExchange").BooleanOK()
	switch mechanism {
	case mechanismPlain:
		return st.plain(ctx, payload)
	case mechanismSCRAM:
		return st.scram(ctx, payload)
	}
	return nil, mechanismUnavailable(), nil
}

// plain checks a PLAIN login (RFC 4616).
func (st *startup) plain(ctx context.Context, payload []byte) ([]byte, *failure, error) {
	parts := bytes.Split(payload, []byte{0})
	if len(parts) != 3 {
		return nil, badRequest("the PLAIN payload must be authzid, user and password"), nil
	}
	user := string(parts[1])
	if authzid := string(parts[0]); authzid != "" && authzid != user {
		f, err := st.failed(ctx)
		return nil, f, err
	}
	login, err := st.protocol.config.Directory.LoginUser(ctx, workspace.MongoDB, user)
	if err != nil {
		return nil, unreachable("the store of logins"), err
	}
	same := subtle.ConstantTimeCompare([]byte(login.Password), parts[2]) == 1
	if !same || !login.Known {
		f, err := st.failed(ctx)
		return nil, f, err
	}
	if f, err := st.enter(ctx, user, login); f != nil {
		return nil, f, err
	}
	return saslReply(st.sasl.id, true, nil), nil, nil
}

// scram answers the first message of SCRAM-SHA-256 (RFC 7677).
func (st *startup) scram(ctx context.Context, payload []byte) ([]byte, *failure, error) {
	var lookupErr error
	server, err := scram.SHA256.NewServer(func(user string) (scram.StoredCredentials, error) {
		login, err := st.protocol.config.Directory.LoginUser(ctx, workspace.MongoDB, user)
		if err != nil {
			lookupErr = err
			return scram.StoredCredentials{}, err
		}
		st.sasl.user, st.sasl.login = user, login
		return scram.StoredCredentials{
			KeyFactors: scram.KeyFactors{Salt: string(login.SCRAM.Salt), Iters: login.SCRAM.Iterations},
			StoredKey:  login.SCRAM.StoredKey,
			ServerKey:  login.SCRAM.ServerKey,
		}, nil
	})
	if err != nil {
		return nil, unreachable("the store of logins"), err
	}
	talk := server.NewConversation()
	answer, err := talk.Step(string(payload))
	switch {
	case lookupErr != nil:
		return nil, unreachable("the store of logins"), lookupErr
	case err != nil:
		f, err := st.failed(ctx)
		return nil, f, err
	}
	st.sasl.talk = talk
	return saslReply(st.sasl.id, false, []byte(answer)), nil, nil
}

// saslContinue goes on with the login under way.
func (st *startup) saslContinue(ctx context.Context, body, _ []byte) ([]byte, *failure, error) {
	command := bsoncore.Document(body)
	if command.Validate() != nil {
		return nil, badRequest("saslContinue is not well-formed"), nil
	}
	_, payload, ok := command.Lookup("payload").BinaryOK()
	id, isNumber := command.Lookup("conversationId").AsInt32OK()
	s := &st.sasl
	if !ok || !isNumber || id != s.id || s.talk == nil {
		return nil, &failure{17, "ProtocolError", "no SASL session state found"}, nil
	}
	if s.proved {
		s.talk = nil
		f, err := st.enter(ctx, s.user, s.login)
		return saslReply(s.id, true, nil), f, err
	}
	answer, err := s.talk.Step(string(payload))
	if err != nil || !s.talk.Valid() || !s.login.Known {
		s.talk = nil
		f, err := st.failed(ctx)
		return nil, f, err
	}
	if !s.skip {
		s.proved = true
		return saslReply(s.id, false, []byte(answer)), nil, nil
	}
	s.talk = nil
	f, err := st.enter(ctx, s.user, s.login)
	return saslReply(s.id, true, []byte(answer)), f, err
}

// failed delays the answer to a failed login. The last one ends the connection.
func (st *startup) failed(ctx context.Context) (*failure, error) {
	st.protocol.guard.Failed(ctx, st.conn.RemoteAddr())
	if st.sasl.failures++; st.sasl.failures >= maxFailures {
		return authenticationFailed(), errTooManyFailures
	}
	return authenticationFailed(), nil
}

// enter ends a login that is right. One for a database, and not for all, is bound
// to the workspace there; where there is none it fails like any other, as it
// does on a server that has no such user there.
func (st *startup) enter(ctx context.Context, user string, login workspace.Login) (*failure, error) {
	if d := st.sasl.database; d != "" && d != "admin" && d != "$external" {
		found, err := st.protocol.config.Directory.Login(ctx, workspace.MongoDB, user, d)
		if err != nil {
			return unreachable("the store of workspaces"), err
		}
		if !found.Known {
			return st.failed(ctx)
		}
		st.sasl.route = &found.Route
	}
	st.succeed(user, login)
	return nil, nil
}

func (st *startup) succeed(user string, login workspace.Login) {
	st.client.user = strings.Clone(user)
	if login.Route.Live != nil {
		st.database = login.Route.Database // the only one that it can name
	}
	st.authenticated = true
	st.protocol.guard.Succeeded(st.conn.RemoteAddr())
}

func saslReply(id int32, done bool, payload []byte) []byte {
	return bsoncore.NewDocumentBuilder().AppendInt32("conversationId", id).AppendBoolean("done", done).
		AppendBinary("payload", 0, payload).AppendDouble("ok", 1).Build()
}
