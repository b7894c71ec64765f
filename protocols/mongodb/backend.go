package mongodb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/xdg-go/scram"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// backend is a connection to the physical server, authenticated as the
// workspace's role. It holds no state of a client: cursors, sessions and
// transactions are the server's, and any of its connections reaches them.
type backend struct {
	conn      net.Conn
	born      time.Time
	idleSince time.Time
}

// serverError is an error that the server answered to the proxy itself.
type serverError struct {
	code int64
	text string
}

func (e *serverError) Error() string { return fmt.Sprintf("server: %s (%d)", e.text, e.code) }

var errAnswer = errors.New("unexpected answer")

// open connects to a physical server.
func (p *Protocol) open(ctx context.Context, address workspace.Address) (*backend, error) {
	conn, err := new(net.Dialer).DialContext(ctx, address.Network, address.Addr)
	if err != nil {
		return nil, fmt.Errorf("backend: %w", err)
	}
	conn = window.NewSocket(conn)
	if address.TLS != nil {
		conn = tls.Client(conn, address.TLS)
	}
	now := time.Now()
	return &backend{conn: conn, born: now, idleSince: now}, nil
}

// dial opens a backend for route.
func (p *Protocol) dial(ctx context.Context, route workspace.Route) (*backend, error) {
	b, err := p.open(ctx, route.Address)
	if err != nil {
		return nil, err
	}
	release := b.until(ctx)
	defer release()
	if err := p.greet(b, route); err != nil {
		b.Close()
		return nil, fmt.Errorf("backend handshake: %w", err)
	}
	return b, nil
}

// until makes the end of ctx end what waits on b, until release is called.
func (b *backend) until(ctx context.Context) (release func()) {
	stop := context.AfterFunc(ctx, func() { _ = b.conn.SetDeadline(window.Past) })
	return func() { stop() }
}

// greet says hello, so that the server shows whose connection it is, and logs
// in where the workspace has a role.
func (p *Protocol) greet(b *backend, route workspace.Route) error {
	hello := bsoncore.NewDocumentBuilder().AppendInt32("hello", 1).
		AppendDocument("client", bsoncore.NewDocumentBuilder().
			AppendDocument("application", bsoncore.NewDocumentBuilder().AppendString("name", route.Live.Name).Build()).
			AppendDocument("driver", bsoncore.NewDocumentBuilder().AppendString("name", "tenantsdb").AppendString("version", "1").Build()).
			AppendDocument("os", bsoncore.NewDocumentBuilder().AppendString("type", "unknown").Build()).Build()).Build()
	if _, err := b.run(p.nextRequest(), "admin", hello); err != nil {
		return err
	}
	if route.Role == "" || route.Password == "" {
		return nil
	}
	return p.logIn(b, route)
}

// logIn runs the client's side of SCRAM-SHA-256 as the workspace's role.
func (p *Protocol) logIn(b *backend, route workspace.Route) error {
	client, err := scram.SHA256.NewClient(route.Role, route.Password, "")
	if err != nil {
		return fmt.Errorf("scram: %w", err)
	}
	talk := client.NewConversation()
	text, err := talk.Step("")
	if err != nil {
		return fmt.Errorf("scram: %w", err)
	}
	step := bsoncore.NewDocumentBuilder().AppendInt32("saslStart", 1).AppendString("mechanism", mechanismSCRAM).
		AppendBinary("payload", 0, []byte(text)).
		AppendDocument("options", bsoncore.NewDocumentBuilder().AppendBoolean("skipEmptyExchange", true).Build()).Build()
	for {
		reply, err := b.run(p.nextRequest(), route.Database, step)
		if err != nil {
			return err
		}
		answer := bsoncore.Document(reply)
		_, payload, ok := answer.Lookup("payload").BinaryOK()
		if !ok {
			return fmt.Errorf("scram: %w", errAnswer)
		}
		if !talk.Done() {
			if text, err = talk.Step(string(payload)); err != nil {
				return fmt.Errorf("scram: %w", err)
			}
		}
		if done, _ := answer.Lookup("done").BooleanOK(); done {
			if !talk.Valid() {
				return errors.New("scram: the server does not know the password")
			}
			return nil
		}
		step = bsoncore.NewDocumentBuilder().AppendInt32("saslContinue", 1).
			AppendValue("conversationId", answer.Lookup("conversationId")).AppendBinary("payload", 0, []byte(text)).Build()
	}
}

// run runs a command of the proxy's own; an error that the server answers is a
// *serverError.
func (b *backend) run(requestID int32, database string, command []byte) ([]byte, error) {
	body := bsoncore.AppendStringElement(command[:len(command)-1:len(command)-1], "$db", database)
	body = append(body, 0)
	bsoncore.UpdateLength(body, 0, int32(len(body)))
	if _, err := b.conn.Write(appendMessage(nil, requestID, 0, 0, body)); err != nil {
		return nil, fmt.Errorf("write backend: %w", err)
	}
	head := make([]byte, headerSize)
	if _, err := io.ReadFull(b.conn, head); err != nil {
		return nil, fmt.Errorf("read backend: %w", err)
	}
	h, err := readHeader(head, maxAnswer)
	if err != nil || h.opcode != opMsg || h.responseTo != requestID {
		return nil, errAnswer
	}
	whole := append(head, make([]byte, h.length-headerSize)...)
	if _, err := io.ReadFull(b.conn, whole[headerSize:]); err != nil {
		return nil, fmt.Errorf("read backend: %w", err)
	}
	var m message
	if _, err := parseMessage(whole, h, &m); err != nil {
		return nil, errAnswer
	}
	return m.body, failed(m.body)
}

// failed is the error that a reply is.
func failed(reply []byte) error {
	if err := bsoncore.Document(reply).Validate(); err != nil {
		return errAnswer
	}
	ok, err := lookup(reply, "ok")
	if err != nil || ok.truth() {
		return err
	}
	e := &serverError{text: "no reason given"}
	if code, err := lookup(reply, "code"); err == nil && code.kind != 0 {
		e.code, _ = code.number()
	}
	if text, err := lookup(reply, "errmsg"); err == nil && text.kind != 0 {
		if s, ok := text.text(); ok {
			e.text = string(s)
		}
	}
	return e
}

// Conn is the connection, for the pool.
func (b *backend) Conn() net.Conn { return b.conn }

// Born is when the backend was dialled.
func (b *backend) Born() time.Time { return b.born }

// Close ends the backend's connection; the server ends what runs on it.
func (b *backend) Close() { b.conn.Close() }
