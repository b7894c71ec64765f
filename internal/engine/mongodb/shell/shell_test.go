package shell

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.uber.org/goleak"
)

// What this program is when it is started again, by its first argument.
const (
	childServes = "serve"  // a child as it should be
	childSilent = "silent" // reads and says nothing
	childJunk   = "junk"   // answers with what is no frame
	childHuge   = "huge"   // announces a frame beyond all bounds
	childAsks   = "asks"   // asks for commands without end
	childParent = "parent" // starts a child with an endless script
	childDead   = "dead"   // ends at once
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if play, known := roles()[os.Args[1]]; known {
			if err := play(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	goleak.VerifyTestMain(m)
}

func roles() map[string]func() error {
	return map[string]func() error{
		childServes: func() error { return Serve(os.Stdin, os.Stdout) },
		childDead:   func() error { return errors.New("no more") },
		childSilent: func() error {
			_, err := io.Copy(io.Discard, os.Stdin)
			return err
		},
		childJunk: func() error {
			_, err := os.Stdout.WriteString("this is no frame at all")
			return err
		},
		childHuge: func() error {
			if err := binary.Write(os.Stdout, binary.LittleEndian, uint32(0x7fffffff)); err != nil {
				return err
			}
			_, err := io.Copy(io.Discard, os.Stdin)
			return err
		},
		childAsks: func() error {
			for {
				if _, err := ask(os.Stdin, os.Stdout, bson.D{{Key: "ping", Value: 1}}); err != nil {
					return err
				}
			}
		},
		childParent: func() error {
			c := exec.Command(os.Args[0], childServes)
			in, err := c.StdinPipe()
			if err != nil {
				return err
			}
			if err := c.Start(); err != nil {
				return err
			}
			fmt.Println(c.Process.Pid)
			return writeFrame(in, order{Text: "while (true) {}", Database: "d", Parent: os.Getpid()})
		},
	}
}

func process(role string) Process { return Process{Command: []string{os.Args[0], role}} }

// nothing answers every command with an empty reply.
func nothing(bson.D) (Answer, error) { return Answer{Reply: bson.Raw{5, 0, 0, 0, 0}}, nil }

func TestAScriptsCommandsAreThoseOfADriver(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`db.c.find({a: 1}, {b: 1}).sort({c: -1}).limit(2).skip(1)`, `{"find":"c","filter":{"a":1},"projection":{"b":1},"sort":{"c":-1},"limit":2,"skip":1}`},
		{`db.c.find().limit(-3).toArray()`, `{"find":"c","filter":{},"limit":3,"singleBatch":true}`},
		{`db.c.findOne({_id: 1})`, `{"find":"c","filter":{"_id":1},"limit":1}`},
		{`db.c.aggregate([{$match: {}}], {allowDiskUse: true, batchSize: 5}).toArray()`, `{"aggregate":"c","pipeline":[{"$match":{}}],"cursor":{"batchSize":5},"allowDiskUse":true}`},
		{`db.c.aggregate([{$out: "d"}]); 1`, `{"aggregate":"c","pipeline":[{"$out":"d"}],"cursor":{}}`},
		{`db.aggregate([{$documents: []}])`, `{"aggregate":1,"pipeline":[{"$documents":[]}],"cursor":{}}`},
		{`db.c.insertMany([{_id: 1}], {ordered: false})`, `{"insert":"c","documents":[{"_id":1}],"ordered":false}`},
		{`db.c.updateOne({a: 1}, {$set: {b: 2}}, {upsert: true, arrayFilters: [{x: 1}]})`, `{"update":"c","updates":[{"q":{"a":1},"u":{"$set":{"b":2}},"multi":false,"upsert":true,"arrayFilters":[{"x":1}]}]}`},
		{`db.c.updateMany({}, [{$set: {b: "$a"}}])`, `{"update":"c","updates":[{"q":{},"u":[{"$set":{"b":"$a"}}],"multi":true}]}`},
		{`db.c.deleteMany({a: NumberLong(5)})`, `{"delete":"c","deletes":[{"q":{"a":5},"limit":0}]}`},
		{`db.c.findOneAndUpdate({a: 1}, {$inc: {n: 1}}, {returnDocument: "after", projection: {n: 1}, sort: {a: 1}})`, `{"findAndModify":"c","query":{"a":1},"update":{"$inc":{"n":1}},"sort":{"a":1},"fields":{"n":1},"new":true}`},
		{`db.c.findOneAndDelete({a: 1})`, `{"findAndModify":"c","query":{"a":1},"remove":true}`},
		{`db.c.distinct("a", {b: 1})`, `{"distinct":"c","key":"a","query":{"b":1}}`},
		{`db.c.countDocuments({a: 1}, {limit: 5})`, `{"aggregate":"c","pipeline":[{"$match":{"a":1}},{"$limit":5},{"$group":{"_id":1,"n":{"$sum":1}}}],"cursor":{}}`},
		{`db.c.createIndex({a: 1, "b.c": -1}, {unique: true, expireAfterSeconds: 5})`, `{"createIndexes":"c","indexes":[{"key":{"a":1,"b.c":-1},"name":"a_1_b.c_-1","unique":true,"expireAfterSeconds":5}]}`},
		{`db.c.hideIndex("a_1")`, `{"collMod":"c","index":{"name":"a_1","hidden":true}}`},
		{`db.createView("v", "c", [{$match: {}}], {collation: {locale: "de"}})`, `{"create":"v","viewOn":"c","pipeline":[{"$match":{}}],"collation":{"locale":"de"}}`},
		{`db.createCollection("c", {validator: {$jsonSchema: {bsonType: "object"}}})`, `{"create":"c","validator":{"$jsonSchema":{"bsonType":"object"}}}`},
		{`db.c.renameCollection("d", true)`, `{"renameCollection":"the_db.c","to":"the_db.d","dropTarget":true}`},
		{`db.c.find({a: 1}).explain("executionStats")`, `{"explain":{"find":"c","filter":{"a":1}},"verbosity":"executionStats"}`},
		{`db.c.explain(true).aggregate([{$match: {}}])`, `{"explain":{"aggregate":"c","pipeline":[{"$match":{}}],"cursor":{}},"verbosity":"allPlansExecution"}`},
		{`db.c.insertOne({_id: 1, f: function (a) { return a }, x: /y/gi, d: new Date(5), n: null, u: undefined, big: 5e10, bi: 7n})`,
			`{"insert":"c","documents":[{"_id":1,"f":{"$code":"function (a) { return a }"},"x":{"$regularExpression":{"pattern":"y","options":"i"}},"d":{"$date":"1970-01-01T00:00:00.005Z"},"n":null,"u":null,"big":5E+10,"bi":7}]}`},
	} {
		var got []string
		_, err := evaluate(order{Text: test.text, Database: "the_db"}, func(command bson.D) (Answer, error) {
			text, err := bson.MarshalExtJSON(command, false, false)
			got = append(got, string(text))
			cursor := bson.D{{Key: "id", Value: int64(0)}, {Key: "ns", Value: "the_db.c"}, {Key: "firstBatch", Value: bson.A{}}}
			reply, marshalErr := bson.Marshal(bson.D{{Key: "n", Value: 1}, {Key: "values", Value: bson.A{}}, {Key: "cursor", Value: cursor}})
			return Answer{Reply: reply}, errors.Join(err, marshalErr)
		})
		if err != nil || len(got) != 1 || got[0] != test.want {
			t.Errorf("%s: got\n%s (%v), want\n%s", test.text, strings.Join(got, "\n"), err, test.want)
		}
	}
}

func TestNumbersKeepTheirTypes(t *testing.T) {
	for text, want := range map[string]string{
		`1`: `{"$numberInt":"1"}`, `1.5`: `{"$numberDouble":"1.5"}`, `2147483648`: `{"$numberDouble":"2.147483648E+09"}`, `-0`: `{"$numberDouble":"-0.0"}`,
		`NumberLong(1)`: `{"$numberLong":"1"}`, `NumberInt("1")`: `{"$numberInt":"1"}`, `Double(1)`: `{"$numberDouble":"1.0"}`, `7n`: `{"$numberLong":"7"}`,
		`NumberDecimal("1.10")`: `{"$numberDecimal":"1.10"}`, `NaN`: `{"$numberDouble":"NaN"}`, `new Number(3)`: `{"$numberInt":"3"}`,
	} {
		outcome, err := evaluate(order{Text: "[" + text + "]", Database: "d"}, nothing)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := bson.MarshalExtJSON(bson.D{{Key: "v", Value: outcome.Value}}, true, false)
		if err != nil || string(got) != `{"v":[`+want+`]}` {
			t.Errorf("%s: got %s (%v), want %s", text, got, err, want)
		}
	}
}

func TestABrokenChildIsAnError(t *testing.T) {
	for _, role := range []string{childJunk, childHuge, childDead} {
		if _, err := process(role).Run(t.Context(), "1", "d", nothing); !errors.Is(err, ErrBroken) {
			t.Errorf("%s: got %v, want %v", role, err, ErrBroken)
		}
	}
	if _, err := (Process{Command: []string{"/no/such/program"}}).Run(t.Context(), "1", "d", nothing); err == nil || errors.Is(err, ErrBroken) {
		t.Errorf("a missing program: %v", err)
	}
	if _, err := (Process{}).Run(t.Context(), "1", "d", nothing); err == nil {
		t.Error("no program at all is no error")
	}
}

func TestAChildThatSaysNothingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := process(childSilent).Run(ctx, "1", "d", nothing); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestWhatEndsACommandEndsTheScript(t *testing.T) {
	mine := errors.New("mine")
	asked := 0
	run := func(bson.D) (Answer, error) {
		asked++
		if asked == 3 {
			return Answer{}, mine
		}
		return nothing(nil)
	}
	if _, err := process(childAsks).Run(t.Context(), "", "d", run); !errors.Is(err, mine) {
		t.Errorf("got %v", err)
	}
	asked = 0
	if _, err := process(childServes).Run(t.Context(), `for (;;) try { db.runCommand("ping") } catch (e) {}`, "d", run); !errors.Is(err, mine) {
		t.Errorf("got %v", err)
	}
}

func TestResultsCrossTheProcessUnchanged(t *testing.T) {
	outcome, err := process(childServes).Run(t.Context(), `print("p"); [ObjectId("0123456789abcdef01234567"), {a: [1, null]}]`, "d", nothing)
	if err != nil {
		t.Fatal(err)
	}
	if got := outcome.Value.String(); !outcome.List || len(outcome.Output) != 1 || !strings.Contains(got, "0123456789abcdef01234567") {
		t.Errorf("got %+v", outcome)
	}
	for text, want := range map[string]string{`throw new TypeError("x")`: "TypeError: x (line 1)", `(`: "SyntaxError", `"x".repeat(70 << 20)`: "larger than 64 MiB"} {
		_, err := process(childServes).Run(t.Context(), text, "d", nothing)
		if failure, ok := errors.AsType[*Failure](err); !ok || !strings.Contains(failure.Message, want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// TestAnEndlessChildDiesWithItsParent has a parent that ends without a word.
func TestAnEndlessChildDiesWithItsParent(t *testing.T) {
	out, err := exec.Command(os.Args[0], childParent).Output()
	if err != nil {
		t.Fatal(err)
	}
	child := "/proc/" + strings.TrimSpace(string(out))
	deadline := time.After(time.Minute)
	for tick := time.Tick(50 * time.Millisecond); ; {
		state, err := os.ReadFile(child + "/stat")
		if errors.Is(err, os.ErrNotExist) || strings.Contains(string(state), ") Z ") {
			return
		}
		select {
		case <-tick:
		case <-deadline:
			t.Fatalf("the child is still there: %s", state)
		}
	}
}

func TestFramesAreBoundedBeforeTheyAreRead(t *testing.T) {
	good := new(bytes.Buffer)
	if err := writeFrame(good, order{Text: "t", Database: "d"}); err != nil {
		t.Fatal(err)
	}
	var o order
	if err := readFrame(iotest.OneByteReader(bytes.NewReader(good.Bytes())), &o); err != nil || o.Text != "t" {
		t.Errorf("got %+v, %v", o, err)
	}
	for n := range good.Len() {
		if err := readFrame(bytes.NewReader(good.Bytes()[:n]), &o); err == nil {
			t.Errorf("%d bytes of a frame were taken for one", n)
		}
	}
	for _, length := range []uint32{0, 4, maxFrame + 1, 0x7fffffff, 0x80000000, 0xffffffff} {
		head := binary.LittleEndian.AppendUint32(nil, length)
		if err := readFrame(bytes.NewReader(append(head, make([]byte, 64)...)), &o); !errors.Is(err, errTooLong) {
			t.Errorf("length %d: got %v", length, err)
		}
	}
}

func FuzzReadFrame(f *testing.F) {
	seed, err := bson.Marshal(report{Failure: &Failure{Message: "m"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte{5, 0, 0, 0, 0})
	f.Fuzz(func(_ *testing.T, data []byte) {
		var r report
		_ = readFrame(bytes.NewReader(data), &r)
	})
}
