package mongodb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// messages drive the tests and the fuzz seeds.
func messages(t testing.TB) map[string][]byte {
	find := encode(t, bson.D{{Key: "find", Value: "users"}, {Key: "$db", Value: "shop"}})
	write := encode(t, bson.D{{Key: "insert", Value: "users"}, {Key: "$db", Value: "shop"}})
	document := encode(t, bson.D{{Key: "_id", Value: 1}})
	checked := append(appendMessage(nil, 1, 0, flagChecksum, find), 1, 2, 3, 4)
	putLength(checked, len(checked))
	return map[string][]byte{
		"a body":           appendMessage(nil, 1, 0, 0, find),
		"all flags":        appendMessage(nil, 1, 0, flagMoreToCome|flagExhaustAllowed, find),
		"a checksum":       checked,
		"a sequence":       withSequence(1, write, "documents", bytes.Repeat(document, 3), false),
		"a sequence first": withSequence(1, write, "documents", document, true),
		"an empty one":     withSequence(1, write, "documents", nil, false),
		"every type":       appendMessage(nil, 1, 0, 0, everyType(t)),
	}
}

// everyType is a document of all types there are.
func everyType(t testing.TB) []byte {
	t.Helper()
	doc := encode(t, bson.D{{Key: "find", Value: "users"}, {Key: "$db", Value: "shop"}, {Key: "double", Value: 1.5}, {Key: "doc", Value: bson.D{}}, {Key: "array", Value: bson.A{1}},
		{Key: "binary", Value: bson.Binary{Subtype: 2, Data: []byte("abc")}}, {Key: "undefined", Value: bson.Undefined{}}, {Key: "oid", Value: bson.NewObjectID()},
		{Key: "bool", Value: true}, {Key: "date", Value: bson.DateTime(1)}, {Key: "null", Value: nil}, {Key: "regex", Value: bson.Regex{Pattern: "a.b", Options: "i"}},
		{Key: "pointer", Value: bson.DBPointer{DB: "a.b"}}, {Key: "code", Value: bson.JavaScript("f()")}, {Key: "symbol", Value: bson.Symbol("s")},
		{Key: "scope", Value: bson.CodeWithScope{Code: "f()", Scope: bson.D{}}}, {Key: "int32", Value: int32(1)}, {Key: "timestamp", Value: bson.Timestamp{T: 1}},
		{Key: "int64", Value: int64(1)}, {Key: "decimal", Value: bson.NewDecimal128(1, 2)}, {Key: "min", Value: bson.MinKey{}}, {Key: "max", Value: bson.MaxKey{}}})
	if err := bsoncore.Document(doc).Validate(); err != nil {
		t.Fatal(err)
	}
	return doc
}

// understood is what c makes of a whole message.
func understood(b []byte) (*request, error) {
	c := &client{protocol: &Protocol{codecs: newCodecs()}, authenticated: true}
	if err := c.in.Hold(max(len(b), 1), maxReply); err != nil {
		return nil, err
	}
	if len(b) == 0 {
		return nil, errShort
	}
	if err := c.in.Fill(bytes.NewReader(b)); err != nil {
		return nil, err
	}
	q := &request{}
	_, err := c.parse(q, maxMessage)
	return q, err
}

func TestMessagesAreUnderstood(t *testing.T) {
	for name, b := range messages(t) {
		q, err := understood(b)
		if err != nil || string(q.database) != "shop" || string(q.collection()) != "users" {
			t.Errorf("%s: got %q of %q, %v", name, q.collection(), q.database, err)
		}
		for i := range len(b) {
			if q, err := understood(b[:i]); err != nil && !errors.Is(err, errShort) || err == nil && q.whole() {
				t.Errorf("%s, cut at %d: got %v, want that more is needed", name, i, err)
			}
			if i < headerSize || q.flags&flagChecksum != 0 {
				continue
			}
			ended := bytes.Clone(b[:i])
			putLength(ended, i)
			if _, err := understood(ended); err == nil && !bytes.Equal(ended, appendMessage(nil, 1, 0, 0, q.body)) {
				t.Errorf("%s, ended at %d: it is taken for whole", name, i)
			}
		}
	}
}

func TestBrokenMessagesAreRefused(t *testing.T) {
	find := encode(t, bson.D{{Key: "find", Value: "users"}, {Key: "$db", Value: "shop"}})
	change := func(at int, v uint32) []byte {
		b := appendMessage(nil, 1, 0, 0, find)
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
	twice := append(appendMessage(nil, 1, 0, 0, find), append([]byte{0}, find...)...)
	putLength(twice, len(twice))
	for name, b := range map[string][]byte{
		"length 0": change(0, 0), "length 15": change(0, 15), "length max+1": change(0, maxMessage+1), "length MaxInt32": change(0, math.MaxInt32), "a negative length": change(0, 1<<31),
		"an unknown flag": change(16, 4), "another opcode": change(12, 2001), "a body of 4 bytes": change(21, 4), "a negative body": change(21, 1<<31), "a body too long": change(21, uint32(len(find)+1)),
		"two bodies": twice, "an unknown section": func() []byte { b := change(16, 0); b[20] = 2; return b }(), "no section": append(appendHeader(nil, header{20, 1, 0, opMsg}), 0, 0, 0, 0),
		"two $db":     appendMessage(nil, 1, 0, 0, encode(t, bson.D{{Key: "find", Value: 1}, {Key: "$db", Value: "a"}, {Key: "$db", Value: "a"}})),
		"$db no text": appendMessage(nil, 1, 0, 0, encode(t, bson.D{{Key: "find", Value: 1}, {Key: "$db", Value: 7}})),
	} {
		if _, err := understood(b); err == nil || errors.Is(err, errShort) {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
}

func TestNumbersAndTruth(t *testing.T) {
	for _, c := range []struct {
		value  any
		number int64
		truth  bool
	}{{int32(-3), -3, true}, {int64(1 << 40), 1 << 40, true}, {2.9, 2, true}, {true, 0, true}, {false, 0, false}, {0.0, 0, false}, {"x", 0, false}} {
		e, err := lookup(encode(t, bson.D{{Key: "a", Value: 0}, {Key: "v", Value: c.value}}), "v")
		if n, _ := e.number(); err != nil || n != c.number || e.truth() != c.truth {
			t.Errorf("%v: got %d, %v, %v", c.value, n, e.truth(), err)
		}
	}
}

// nested is a pipeline of documents n deep.
func nested(n int) []byte {
	doc := bsoncore.BuildDocument(nil)
	for range n {
		doc = bsoncore.BuildDocument(nil, bsoncore.AppendDocumentElement(nil, "0", doc))
	}
	return doc
}

func TestDepthIsBounded(t *testing.T) {
	if err := checkPipeline("shop", nested(maxDepth-2)); err != nil {
		t.Errorf("what the server takes: got %v", err)
	}
	for _, n := range []int{200, 5_000} {
		if err := checkPipeline("shop", nested(n)); !errors.Is(err, errDepth) {
			t.Errorf("%d deep: got %v, want %v", n, err, errDepth)
		}
	}
}

func TestPackedMessages(t *testing.T) {
	c := newCodecs()
	plain := appendMessage(nil, 5, 6, 0, encode(t, bson.D{{Key: "find", Value: strings.Repeat("users", 1000)}, {Key: "$db", Value: "shop"}}))
	for _, method := range []compressor{noCompressor, snappyMethod, zlibMethod, zstdMethod} {
		packed, err := c.appendPacked([]byte("before"), method, plain)
		if err != nil {
			t.Fatal(err)
		}
		packed = packed[len("before"):]
		h, err := readHeader(packed, maxMessage)
		if err != nil || int(h.length) != len(packed) || h.requestID != 5 || h.responseTo != 6 || h.opcode != opCompressed {
			t.Fatalf("%v: header %+v of %d bytes, %v", method, h, len(packed), err)
		}
		got, by, err := c.unpack(packed, h)
		if err != nil || by != method || !bytes.Equal(got, plain) {
			t.Errorf("%v: got %d bytes by %v, %v", method, len(got), by, err)
		}
		for name, breakIt := range map[string]func(b []byte){
			"says less":      func(b []byte) { binary.LittleEndian.PutUint32(b[20:], uint32(len(plain)-headerSize-1)) },
			"says more":      func(b []byte) { binary.LittleEndian.PutUint32(b[20:], uint32(len(plain)-headerSize+1)) },
			"says 47 MB":     func(b []byte) { binary.LittleEndian.PutUint32(b[20:], 47_000_000) },
			"says too much":  func(b []byte) { binary.LittleEndian.PutUint32(b[20:], maxMessage) },
			"says -1":        func(b []byte) { binary.LittleEndian.PutUint32(b[20:], math.MaxUint32) },
			"another method": func(b []byte) { b[24] = 9 },
			"a reply":        func(b []byte) { binary.LittleEndian.PutUint32(b[16:], opReply) },
			"packed twice":   func(b []byte) { binary.LittleEndian.PutUint32(b[16:], opCompressed) },
		} {
			bad := bytes.Clone(packed)
			breakIt(bad)
			if _, _, err := c.unpack(bad, h); err == nil {
				t.Errorf("%v, %s: it is taken", method, name)
			}
		}
		for i := range min(len(packed), 200) {
			if _, _, err := c.unpack(packed[:i], h); err == nil {
				t.Errorf("%v, cut at %d: it is taken", method, i)
			}
		}
	}
}

// TestBombsAllocateLittle claims much with few bytes.
func TestBombsAllocateLittle(t *testing.T) {
	c := newCodecs()
	bomb := appendMessage(nil, 1, 0, 0, make([]byte, 40_000_000))
	for _, method := range []compressor{snappyMethod, zlibMethod} {
		packed, err := c.appendPacked(nil, method, bomb)
		if err != nil {
			t.Fatal(err)
		}
		short := packed[:2000]
		h := header{int32(len(short)), 1, 0, opCompressed}
		allocated := testing.AllocsPerRun(1, func() {
			if out, _, err := c.unpack(short, h); err == nil || out != nil {
				t.Errorf("%v: the beginning of a bomb is taken", method)
			}
		})
		if result := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				_, _, _ = c.unpack(short, h)
			}
		}); result.AllocedBytesPerOp() > 1<<20 {
			t.Errorf("%v: %d bytes in %v allocations for a claim of 2 kB", method, result.AllocedBytesPerOp(), allocated)
		}
	}
}

func FuzzMessage(f *testing.F) {
	for _, b := range messages(f) {
		f.Add(b)
		for _, method := range []compressor{snappyMethod, zlibMethod, zstdMethod} {
			packed, err := newCodecs().appendPacked(nil, method, b)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(packed)
		}
	}
	for _, e := range escapes("shop", "other") {
		f.Add(appendMessage(nil, 1, 0, 0, encode(f, e.cmd)))
	}
	f.Add(legacy(1, "admin.$cmd", encode(f, bson.D{{Key: "isMaster", Value: 1}})))
	r := &relay{client: &client{protocol: &Protocol{commands: newCommands()}}, space: newSpace()}
	r.route.Database = "shop"
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := understood(b)
		if err != nil {
			return
		}
		r.route.Live = nil
		if string(q.database) != "shop" && string(q.database) != "admin" {
			return
		}
		c, failure := r.judge(q)
		if failure != nil {
			return
		}
		if c == nil {
			t.Fatal("neither a command nor a failure")
		}
		_ = endless(q)
		_ = schemaFixed(q, c)
		_ = writesOut(q)
		_ = statement(q.body)
		if _, err := parseGreeting(q.name, q.body); err == nil && len(q.name) == 0 {
			t.Fatal("a command without a name")
		}
	})
}

func FuzzReply(f *testing.F) {
	f.Add(encode(f, bson.D{{Key: "cursor", Value: bson.D{{Key: "firstBatch", Value: bson.A{bson.D{}, bson.D{}}}, {Key: "id", Value: int64(7)}, {Key: "ns", Value: "a.b.c"}}}, {Key: "ok", Value: 1.0}}))
	f.Add(encode(f, bson.D{{Key: "lastErrorObject", Value: bson.D{{Key: "n", Value: 1}}}, {Key: "ok", Value: 1}}))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := readCursor(body)
		if err == nil && c.rows > int64(len(body)) {
			t.Fatalf("%d documents in %d bytes", c.rows, len(body))
		}
		_ = wrote(body)
		_ = failed(body)
		_ = killing(&message{body: body})
	})
}
