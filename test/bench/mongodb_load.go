package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// mongodbTarget is one way to the measured MongoDB server.
type mongodbTarget struct {
	name             string
	network, address string
	plaintext        bool
	user, password   string // empty: no login
}

// mongodbLoad is what each worker does over and over: it sends one message, in
// which only the number of the request and the _id change.
type mongodbLoad struct {
	name    string
	message []byte
	id      int           // where in message the _id's number is
	next    func() uint64 // the number of a request's _id
	sign    []byte        // what the answer has if the command did its work
}

const (
	mongodbRead    = "documents" // the collection that is read
	mongodbWritten = "inserted"  // the one that is written
	// mongodbDocuments are in the first. FerretDB looks at every document of a
	// collection to find one, even by _id: with many, its time alone is measured.
	mongodbDocuments = 100
)

// mongodbMark stands for the _id's number in a message that is being built.
const mongodbMark = 0x1A2B3C4D5E6F7081

// mongodbID is the _id of a number. It is an ObjectID, as drivers make them: by
// numbers FerretDB finds documents outside of its database, slower still.
func mongodbID(number uint64) (id bson.ObjectID) {
	binary.BigEndian.PutUint64(id[4:], number)
	return id
}

// mongodbFiller makes a document about as large as a row of sysbench's.
var mongodbFiller = string(bytes.Repeat([]byte("tenantsdb "), 12))

// mongodbFind finds one of the documents by its _id.
func mongodbFind(database string) mongodbLoad {
	filter := bsoncore.NewDocumentBuilder().AppendObjectID("_id", mongodbID(mongodbMark)).Build()
	message := opMsg(bsoncore.NewDocumentBuilder().
		AppendString("find", mongodbRead).AppendDocument("filter", filter).
		AppendInt32("limit", 1).AppendBoolean("singleBatch", true).
		AppendString("$db", database).Build(), "")
	return mongodbLoad{"find", message, markedAt(message), func() uint64 { return rand.Uint64N(mongodbDocuments) }, []byte(mongodbFiller)}
}

// mongodbInsert inserts one document, with an _id that was never used.
func mongodbInsert(database string) mongodbLoad {
	message := opMsg(insertBody(database, mongodbWritten), "documents", mongodbDocument(mongodbMark))
	var last atomic.Uint64
	sign := bsoncore.AppendInt32Element(nil, "n", 1)
	return mongodbLoad{"insert", message, markedAt(message), func() uint64 { return last.Add(1) }, sign}
}

func insertBody(database, collection string) []byte {
	return bsoncore.NewDocumentBuilder().AppendString("insert", collection).
		AppendBoolean("ordered", true).AppendString("$db", database).Build()
}

func mongodbDocument(number uint64) []byte {
	return bsoncore.NewDocumentBuilder().AppendObjectID("_id", mongodbID(number)).AppendString("filler", mongodbFiller).Build()
}

// opMsg is the OP_MSG of a body and, as drivers send it, a document sequence
// (https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/).
func opMsg(body []byte, sequence string, documents ...[]byte) []byte {
	const code = 2013
	b := binary.LittleEndian.AppendUint32(make([]byte, 12), code)
	b = append(b, 0, 0, 0, 0, 0) // no flags, and the kind of a body
	b = append(b, body...)
	if sequence != "" {
		b = append(b, 1)
		at := len(b)
		b = append(append(append(b, 0, 0, 0, 0), sequence...), 0)
		for _, document := range documents {
			b = append(b, document...)
		}
		binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at))
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	return b
}

// markedAt is where the _id's number is.
func markedAt(message []byte) int {
	return bytes.Index(message, binary.BigEndian.AppendUint64(nil, mongodbMark))
}

// fillMongoDB inserts the documents that are read.
func fillMongoDB(t mongodbTarget, database string) error {
	w, err := t.connect(time.Now().Add(startTimeout))
	if err != nil {
		return err
	}
	defer w.conn.Close()
	var all [][]byte
	for number := range uint64(mongodbDocuments) {
		all = append(all, mongodbDocument(number))
	}
	sign := bsoncore.AppendInt32Element(nil, "n", mongodbDocuments)
	if err := w.ask(opMsg(insertBody(database, mongodbRead), "documents", all...), sign); err != nil {
		return fmt.Errorf("fill by %s: %w", t.name, err)
	}
	return nil
}

// mongodbWorker is one connection of the generator.
type mongodbWorker struct {
	conn    net.Conn
	answer  []byte
	request uint32
	took    histogram
}

// connect connects and logs in; the connection lasts until deadline.
func (t mongodbTarget) connect(deadline time.Time) (*mongodbWorker, error) {
	ctx, done := context.WithTimeout(context.Background(), startTimeout)
	defer done()
	conn, err := (&net.Dialer{}).DialContext(ctx, t.network, t.address)
	if err != nil {
		return nil, err
	}
	if !t.plaintext {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}) //nolint:gosec // a server of this run
	}
	w := &mongodbWorker{conn: conn, answer: make([]byte, 16<<10)}
	if err = conn.SetDeadline(deadline); err == nil && t.user != "" {
		err = w.login(t.user, t.password)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect to %s: %w", t.name, err), conn.Close())
	}
	return w, nil
}

// login logs in with PLAIN.
func (w *mongodbWorker) login(user, password string) error {
	return w.ask(opMsg(bsoncore.NewDocumentBuilder().
		AppendInt32("saslStart", 1).AppendString("mechanism", "PLAIN").
		AppendBinary("payload", 0, []byte("\x00"+user+"\x00"+password)).
		AppendString("$db", "$external").Build(), ""), bsoncore.AppendBooleanElement(nil, "done", true))
}

// ask sends the message and reads its answer, which must have sign.
func (w *mongodbWorker) ask(message, sign []byte) error {
	w.request++
	binary.LittleEndian.PutUint32(message[4:], w.request)
	if _, err := w.conn.Write(message); err != nil {
		return err
	}
	const head = 16
	for got, size := 0, head; got < size; {
		n, err := w.conn.Read(w.answer[got:])
		if err != nil {
			return err
		}
		if got += n; got < head {
			continue
		}
		size = int(binary.LittleEndian.Uint32(w.answer))
		if size < head || size > len(w.answer) || got > size {
			return fmt.Errorf("an answer has %d bytes, of which %d are here", size, got)
		}
		if got == size {
			return w.check(w.answer[:size], sign)
		}
	}
	return nil
}

func (w *mongodbWorker) check(answer, sign []byte) error {
	if to := binary.LittleEndian.Uint32(answer[8:]); to != w.request {
		return fmt.Errorf("answer to request %d, not %d", to, w.request)
	}
	if !bytes.Contains(answer, sign) {
		return fmt.Errorf("the server said: %q", answer)
	}
	return nil
}

// work does load until end.
func (w *mongodbWorker) work(load mongodbLoad, end time.Time) error {
	message := bytes.Clone(load.message)
	for began := time.Now(); began.Before(end); {
		binary.BigEndian.PutUint64(message[load.id:], load.next())
		if err := w.ask(message, load.sign); err != nil {
			return err
		}
		now := time.Now()
		w.took.add(now.Sub(began))
		began = now
	}
	return nil
}

// run lets that many workers do load; the measure's tps are commands.
func (t mongodbTarget) run(load mongodbLoad, workers int, long time.Duration) (measure, error) {
	all := make([]*mongodbWorker, 0, workers)
	defer func() {
		for _, w := range all {
			w.conn.Close()
		}
	}()
	for range workers {
		w, err := t.connect(time.Now().Add(long + 2*startTimeout))
		if err != nil {
			return measure{}, err
		}
		all = append(all, w)
	}
	var working sync.WaitGroup
	errs := make([]error, workers)
	began := time.Now()
	for i, w := range all {
		working.Go(func() { errs[i] = w.work(load, began.Add(long)) })
	}
	working.Wait()
	elapsed := time.Since(began)
	if err := errors.Join(errs...); err != nil {
		return measure{}, fmt.Errorf("%s against %s: %w", load.name, t.name, err)
	}
	var took histogram
	for _, w := range all {
		took.join(&w.took)
	}
	return measure{tps: float64(took.total()) / elapsed.Seconds(), p50: took.at(0.50), p99: took.at(0.99), done: float64(took.total())}, nil
}

// histogramSteps is how many steps there are from a duration to its double; each
// count of a histogram is off by at most one of them, 1.6 %.
const histogramSteps = 64

// histogram counts durations.
type histogram [(64 - 5) * histogramSteps]int

func (h *histogram) add(d time.Duration) {
	n := uint64(max(d, 0))
	shift := max(0, bits.Len64(n/histogramSteps)-1)
	h[shift*histogramSteps+int(n>>shift)]++
}

func (h *histogram) join(other *histogram) {
	for i, n := range other {
		h[i] += n
	}
}

func (h *histogram) total() (total int) {
	for _, n := range h {
		total += n
	}
	return total
}

// at is the duration that a share of all do not exceed, in milliseconds.
func (h *histogram) at(share float64) float64 {
	left := share * float64(h.total())
	for i, n := range h {
		if left -= float64(n); n > 0 && left <= 0 {
			shift := max(0, i/histogramSteps-1)
			return float64((i-shift*histogramSteps)<<shift) / float64(time.Millisecond)
		}
	}
	return 0
}
