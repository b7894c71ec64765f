package mongodb

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// description is what hello says of the servers: what all of them can do.
type description struct {
	Primary        bool   `bson:"isWritablePrimary"`
	SetName        string `bson:"setName"`
	SetVersion     int64  `bson:"setVersion"`
	Msg            string `bson:"msg"` // "isdbgrid" of a mongos
	MinWire        int32  `bson:"minWireVersion"`
	MaxWire        int32  `bson:"maxWireVersion"`
	MaxDocument    int32  `bson:"maxBsonObjectSize"`
	MaxMessage     int32  `bson:"maxMessageSizeBytes"`
	MaxBatch       int32  `bson:"maxWriteBatchSize"`
	SessionMinutes int32  `bson:"logicalSessionTimeoutMinutes"` // 0: no sessions
}

// writable says whether there is a server that takes writes; those in no set do.
func (d description) writable() bool { return d.Primary || d.SetName == "" }

// meet is what a server of each description can do.
func (d description) meet(o description) description {
	if d.SetName == "" || o.SetName == "" {
		d.SetName, d.SetVersion = "", 0
	}
	if d.Msg != o.Msg {
		d.Msg = ""
	}
	d.Primary = d.Primary || o.Primary // one that has none is not to stop the others
	d.MinWire = max(d.MinWire, o.MinWire)
	d.MaxWire = min(d.MaxWire, o.MaxWire)
	d.MaxDocument = min(d.MaxDocument, o.MaxDocument)
	d.MaxMessage = min(d.MaxMessage, o.MaxMessage)
	d.MaxBatch = min(d.MaxBatch, o.MaxBatch)
	d.SessionMinutes = min(d.SessionMinutes, o.SessionMinutes)
	return d
}

// topology is the servers as they were last seen.
type topology struct {
	process bson.ObjectID // of topologyVersion, which clients compare

	asking   sync.Mutex // held by who asks the servers
	failed   error      // what the last who asked got, under asking
	failedAt time.Time

	mu        sync.Mutex
	seen      bool
	now       description
	buildInfo []byte
	counter   int64
	changed   chan struct{} // closed with the next change
}

func newTopology() *topology {
	t := &topology{changed: make(chan struct{})}
	rand.Read(t.process[:])
	return t
}

// see notes what the servers can do now.
func (t *topology) see(d description, buildInfo []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buildInfo = buildInfo
	if t.seen && t.now == d {
		return
	}
	t.seen, t.now = true, d
	t.counter++
	close(t.changed)
	t.changed = make(chan struct{})
}

// view is the topology at one moment; seen is false before the first.
func (t *topology) view() (v topologyView, seen bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return topologyView{t.now, t.buildInfo, t.counter, t.changed}, t.seen
}

type topologyView struct {
	description
	buildInfo []byte
	counter   int64
	changed   <-chan struct{}
}

// seeServers is the topology, asked for where it is not known yet.
func (p *Protocol) seeServers(ctx context.Context) (topologyView, error) {
	t := p.topology
	if v, seen := t.view(); seen {
		return v, nil
	}
	t.asking.Lock()
	defer t.asking.Unlock()
	if v, seen := t.view(); seen {
		return v, nil
	}
	if t.failed != nil && time.Since(t.failedAt) < askAgain {
		return topologyView{}, t.failed
	}
	return p.ask(ctx)
}

// refresh asks the servers anew.
func (p *Protocol) refresh(ctx context.Context) (topologyView, error) {
	p.topology.asking.Lock()
	defer p.topology.asking.Unlock()
	return p.ask(ctx)
}

const (
	askTimeout = 5 * time.Second
	// askAgain is how long servers that did not answer are left alone by
	// strangers' hellos.
	askAgain = time.Second
	// maxAnswer bounds an answer to the proxy's own questions.
	maxAnswer = 1 << 20
)

var errNoServer = errors.New("no database server is configured")

// ask asks all servers what they can do. One that can't be reached counts for
// nothing, where another can. The caller holds asking.
func (p *Protocol) ask(ctx context.Context) (topologyView, error) {
	ctx, done := context.WithTimeout(ctx, askTimeout)
	defer done()
	var all []description
	var buildInfo []byte
	failed := errNoServer
	for _, address := range p.config.Servers() {
		d, info, err := p.describe(ctx, address)
		if err != nil {
			failed = err
			continue
		}
		all = append(all, d)
		buildInfo = info
	}
	if len(all) == 0 {
		p.topology.failed = fmt.Errorf("describe servers: %w", failed)
		p.topology.failedAt = time.Now()
		return topologyView{}, p.topology.failed
	}
	d := all[0]
	for _, o := range all[1:] {
		d = d.meet(o)
	}
	p.topology.see(d, buildInfo)
	v, _ := p.topology.view()
	return v, nil
}

// describe asks one server, which needs no login for it.
func (p *Protocol) describe(ctx context.Context, address workspace.Address) (d description, buildInfo []byte, err error) {
	b, err := p.open(ctx, address)
	if err != nil {
		return d, nil, err
	}
	defer b.Close()
	release := b.until(ctx)
	defer release()
	reply, err := b.run(p.nextRequest(), "admin", bsoncore.BuildDocument(nil, bsoncore.AppendInt32Element(nil, "hello", 1)))
	if err != nil {
		return d, nil, fmt.Errorf("hello: %w", err)
	}
	if err := bson.Unmarshal(reply, &d); err != nil {
		return d, nil, fmt.Errorf("hello: %w", err)
	}
	d.MaxMessage = min(d.MaxMessage, maxMessage)
	info, err := b.run(p.nextRequest(), "admin", bsoncore.BuildDocument(nil, bsoncore.AppendInt32Element(nil, "buildInfo", 1)))
	if _, refused := errors.AsType[*serverError](err); err != nil && !refused {
		return d, nil, fmt.Errorf("build info: %w", err)
	}
	return d, slices.Clone(info), nil
}
