package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// greeting is what a hello asks for
// (https://www.mongodb.com/docs/manual/reference/command/hello/).
type greeting struct {
	modern      bool // hello, and not isMaster
	helloOk     bool
	mechanisms  bool // which ones a user may use
	speculative []byte
	compressors []compressor
	process     []byte // of the topologyVersion that the client knows
	counter     int64
	wait        time.Duration // for a newer one; 0: no wait
}

// maxAwait bounds the wait for a change of the topology.
const maxAwait = 5 * time.Minute

// parseGreeting reads the hello that body is.
func parseGreeting(name, body []byte) (g greeting, err error) {
	g.modern = string(name) == "hello"
	w, err := document(body)
	if err != nil {
		return g, err
	}
	for w.more() {
		e, err := w.next()
		if err != nil {
			return g, err
		}
		switch string(e.key) {
		case "helloOk":
			g.helloOk = e.truth()
		case "saslSupportedMechs":
			g.mechanisms = true
		case "speculativeAuthenticate":
			if e.kind == typeDocument {
				g.speculative = e.value
			}
		case "compression":
			if e.kind == typeArray {
				g.compressors, err = parseCompressors(e.value)
			}
		case "topologyVersion":
			if e.kind == typeDocument {
				err = g.parseVersion(e.value)
			}
		case "maxAwaitTimeMS":
			if ms, ok := e.number(); ok && ms > 0 {
				g.wait = time.Duration(min(ms, maxAwait.Milliseconds())) * time.Millisecond
			}
		}
		if err != nil {
			return g, err
		}
	}
	return g, nil
}

func (g *greeting) parseVersion(doc []byte) error {
	process, err := lookup(doc, "processId")
	if err != nil {
		return err
	}
	counter, err := lookup(doc, "counter")
	if err != nil {
		return err
	}
	g.process = process.value
	g.counter, _ = counter.number()
	return nil
}

// parseCompressors are the methods that both sides have, as the client ranks
// them.
func parseCompressors(array []byte) (methods []compressor, err error) {
	w, err := document(array)
	if err != nil {
		return nil, err
	}
	for w.more() {
		e, err := w.next()
		if err != nil {
			return nil, err
		}
		if name, ok := e.text(); ok && compressorNamed(name) != noCompressor && len(methods) < 3 {
			methods = append(methods, compressorNamed(name))
		}
	}
	return methods, nil
}

// knows says whether the client has seen the topology as it is.
func (g *greeting) knows(t *topology, v topologyView) bool {
	return string(g.process) == string(t.process[:]) && g.counter == v.counter
}

// await waits until the topology is another than the client knows, as long as
// it asked for; false when ctx ended.
func (g *greeting) await(ctx context.Context, p *Protocol, v topologyView) (topologyView, bool) {
	if g.wait == 0 || !g.knows(p.topology, v) {
		return v, true
	}
	over := time.NewTimer(g.wait)
	defer over.Stop()
	select {
	case <-v.changed:
		v, _ = p.topology.view()
	case <-over.C:
	case <-ctx.Done():
		return v, false
	}
	return v, true
}

// answer is the reply to the hello, without what only this client was told
// before: see extras.
func (g *greeting) answer(c *client, v topologyView, extras ...[]byte) []byte {
	p := c.protocol
	doc := bsoncore.NewDocumentBuilder()
	if g.helloOk {
		doc.AppendBoolean("helloOk", true)
	}
	if g.modern {
		doc.AppendBoolean("isWritablePrimary", v.writable())
	} else {
		doc.AppendBoolean("ismaster", v.writable())
	}
	doc.AppendDocument("topologyVersion", bsoncore.NewDocumentBuilder().
		AppendObjectID("processId", p.topology.process).AppendInt64("counter", v.counter).Build())
	switch {
	case v.SetName != "":
		host := p.config.PublicHost()
		doc.AppendString("setName", v.SetName).AppendInt64("setVersion", v.SetVersion).
			AppendBoolean("secondary", !v.writable()).
			AppendArray("hosts", bsoncore.NewArrayBuilder().AppendString(host).Build()).
			AppendString("me", host)
		if v.writable() {
			doc.AppendString("primary", host)
		}
	case v.Msg != "":
		doc.AppendString("msg", v.Msg)
	}
	doc.AppendInt32("maxBsonObjectSize", v.MaxDocument).
		AppendInt32("maxMessageSizeBytes", v.MaxMessage).
		AppendInt32("maxWriteBatchSize", v.MaxBatch).
		AppendDateTime("localTime", time.Now().UnixMilli())
	if v.SessionMinutes > 0 {
		doc.AppendInt32("logicalSessionTimeoutMinutes", v.SessionMinutes)
	}
	doc.AppendInt32("connectionId", c.number).
		AppendInt32("minWireVersion", v.MinWire).
		AppendInt32("maxWireVersion", v.MaxWire).
		AppendBoolean("readOnly", false)
	if len(g.compressors) > 0 {
		names := bsoncore.NewArrayBuilder()
		for _, m := range g.compressors {
			names.AppendString(m.String())
		}
		doc.AppendArray("compression", names.Build())
	}
	if g.mechanisms {
		doc.AppendArray("saslSupportedMechs", bsoncore.NewArrayBuilder().AppendString(mechanismSCRAM).Build())
	}
	reply := doc.AppendDouble("ok", 1).Build()
	for _, e := range extras {
		reply = appendElement(reply, e)
	}
	return reply
}

// appendElement puts an encoded element at the end of doc.
func appendElement(doc, e []byte) []byte {
	doc = append(append(doc[:len(doc)-1], e...), 0)
	return bsoncore.UpdateLength(doc, 0, int32(len(doc)))
}

// String is the method's name in hello.
func (m compressor) String() string {
	return [...]string{"noop", "snappy", "zlib", "zstd"}[m]
}
