package mongodb

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/schema"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Source reads the schemas of MongoDB databases that are none of ours.
type Source struct{}

var _ workspace.SchemaSource = Source{}

// Statements are the commands that make the database's collections.
func (Source) Statements(ctx context.Context, l workspace.SourceLogin) ([]schema.Step, error) {
	found, err := readSource(ctx, l)
	if err != nil {
		return nil, err
	}
	var steps []schema.Step
	for _, c := range ddltrack.CompareMongo(l.Database, nil, found) {
		text, err := ddltrack.MongoStatement(c.Command)
		if err != nil {
			return nil, l.Refused(err.Error(), err)
		}
		_, collection := ddltrack.MongoNameAndTarget(c.Command)
		steps = append(steps, schema.Step{Statement: text, Object: c.Object, Table: collection, Makes: c.Command[0].Key == "create"})
	}
	return steps, nil
}

// Schema is the database's collections with what their validators describe.
func (Source) Schema(ctx context.Context, l workspace.SourceLogin) (s schema.Schema, warnings []string, err error) {
	found, err := readSource(ctx, l)
	if err != nil {
		return schema.Schema{}, nil, err
	}
	for _, c := range found {
		if c.Type != "collection" {
			warnings = append(warnings, c.Name+": left out: it is a "+c.Type)
			continue
		}
		made := schema.Collection{Name: c.Name, Validator: validator(c)}
		for _, spec := range c.Indexes {
			made.Indexes = append(made.Indexes, sourceIndex(spec))
		}
		s.Collections = append(s.Collections, made)
	}
	return s, warnings, nil
}

// sourceIndex is an index as it is listed.
func sourceIndex(spec bson.D) schema.DocumentIndex {
	x := schema.DocumentIndex{Name: indexName(spec)}
	for _, e := range spec {
		switch v := e.Value.(type) {
		case bson.D:
			switch e.Key {
			case "key":
				for _, k := range v {
					x.Keys = append(x.Keys, schema.Key{Field: k.Key, Order: keyOrder(k.Value)})
				}
			case "partialFilterExpression":
				x.Partial, _ = bson.MarshalExtJSON(v, false, false) // what came from a server has a text
			}
		case bool:
			x.Unique = x.Unique || e.Key == "unique" && v
			x.Sparse = x.Sparse || e.Key == "sparse" && v
		default:
			x.HasTTL = x.HasTTL || e.Key == "expireAfterSeconds"
		}
	}
	return x
}

// keyOrder is an index's order as JSON has it.
func keyOrder(v any) string {
	switch v := v.(type) {
	case string:
		return `"` + v + `"`
	case int32:
		if v < 0 {
			return "-1"
		}
	case int64:
		if v < 0 {
			return "-1"
		}
	case float64:
		if v < 0 {
			return "-1"
		}
	}
	return "1"
}

// readSource lists the database's collections.
func readSource(ctx context.Context, l workspace.SourceLogin) ([]ddltrack.MongoCollection, error) {
	client, err := connectSource(ctx, l)
	if err != nil {
		return nil, sourceRefused(l, err)
	}
	defer disconnect(ctx, client)
	e := &Engine{client: client, config: Config{Name: l.Address()}}
	found, err := e.schema(ctx, l.Database)
	if err != nil {
		return nil, sourceRefused(l, err)
	}
	return found, nil
}

func sourceRefused(l workspace.SourceLogin, err error) error {
	if refused, ok := errors.AsType[mongo.CommandError](err); ok {
		return l.Refused(refused.Message, err)
	}
	return l.Refused("", err)
}

// probe says why a connection with that encryption can't be made.
func probe(ctx context.Context, l workspace.SourceLogin, encryption *tls.Config) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout/2)
	defer cancel()
	conn, err := l.Dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // it served its end
	if encryption == nil {
		return nil
	}
	return tls.Client(conn, encryption).HandshakeContext(ctx)
}

// dialer connects to the login's host, whatever the driver asks for: there is no
// other that we were told of.
type dialer struct{ login workspace.SourceLogin }

func (d dialer) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	return d.login.Dial(ctx)
}

// connectSource connects with the first encryption that both sides have, and the
// first kind of login that the server takes: users are of the database admin or
// of their own, or kept elsewhere (PLAIN, never without TLS).
func connectSource(ctx context.Context, l workspace.SourceLogin) (*mongo.Client, error) {
	var first error
	for _, encryption := range l.Encryptions() {
		// The driver would try for as long as it may to reach a server.
		if err := probe(ctx, l, encryption); err != nil {
			first = cmp.Or(first, err)
			continue
		}
		logins := []*options.Credential{nil}
		if l.User != "" {
			logins = []*options.Credential{
				{AuthSource: adminDatabase, Username: l.User, Password: l.Password},
				{AuthSource: l.Database, Username: l.User, Password: l.Password},
			}
			if encryption != nil {
				logins = append(logins, &options.Credential{AuthMechanism: "PLAIN", AuthSource: "$external", Username: l.User, Password: l.Password})
			}
		}
		for _, login := range logins {
			o := options.Client().SetHosts([]string{l.Address()}).SetDirect(true).SetAppName("tenantsdb import").SetDialer(dialer{l}).
				SetServerSelectionTimeout(connectTimeout / 2).SetConnectTimeout(connectTimeout / 2).SetMaxPoolSize(parallelListings)
			if encryption != nil {
				o.SetTLSConfig(encryption)
			}
			if login != nil {
				o.SetAuth(*login)
			}
			client, err := mongo.Connect(o)
			if err == nil {
				if err = client.Database(l.Database).RunCommand(ctx, bson.D{{Key: "ping", Value: 1}}).Err(); err == nil {
					return client, nil
				}
				disconnect(ctx, client)
			}
			if first == nil || code(err) != 0 {
				first = err
			}
			if ctx.Err() != nil {
				return nil, first
			}
			if code(err) == 0 {
				break // it was not the login that failed
			}
		}
		if code(first) != 0 {
			break
		}
	}
	return nil, first
}
