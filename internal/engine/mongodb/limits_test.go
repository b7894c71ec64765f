package mongodb

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

var noLimits = workspace.Limits{}

// wantRefusal is a bad request with that code's name and words.
func wantRefusal(t *testing.T, text string, err error, codeName, message string) {
	t.Helper()
	failure, ok := errors.AsType[*workspace.Error](err)
	if !ok || failure.Code != workspace.BadRequest {
		t.Errorf("%s: got %v, want a bad request", text, err)
		return
	}
	name, _ := failure.Details["codeName"].(string)
	if name != codeName || !strings.Contains(failure.Message, message) {
		t.Errorf("%s: got %q %q, want %q %q", text, name, failure.Message, codeName, message)
	}
}

func TestRowsBeyondTheLimitAreAnErrorThatNamesIt(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e, false)
	query(t, e, target, `for (let i = 0; i < 5; i++) db.c.insertMany(Array.from({length: 100}, () => ({x: i})))`)
	for _, text := range []string{
		`db.c.find()`, `db.c.find().toArray()`, `db.c.aggregate([{$match: {}}])`, `{"find": "c"}`, `{"find": "c", "batchSize": 7}`,
		`db.c.find().batchSize(7)`, `Array.from({length: 500}, (_, i) => i)`, `try { db.c.find().toArray() } catch (e) { 1 }`,
		`db.c.find().batchSize(7).forEach(() => {})`,
	} {
		_, err := e.Query(t.Context(), target, text, workspace.Limits{Workspace: "shop", MaxRows: 499})
		wantRefusal(t, text, err, nameMemoryLimit, `workspace "shop" allows a query to give 499 rows (max_rows_per_query)`)
		if _, err := e.Query(t.Context(), target, text, workspace.Limits{MaxRows: 500}); err != nil {
			t.Errorf("%s at the limit: %v", text, err)
		}
	}
}

func TestEndlessScriptsEnd(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e, false)
	for _, text := range []string{
		`while (true) {}`, `for (;;) { try { while (true) {} } catch (e) {} }`, `/^(?=a)(a+)+$/.test("a".repeat(60) + "b")`,
		`sleep(60000)`, `while (true) db.c.countDocuments()`, `while (true) { try { db.c.find().toArray() } catch (e) {} }`,
		`({get x() { while (true) {} }})`, `(async () => { while (true) await 1 })()`,
	} {
		_, err := e.Query(t.Context(), target, text, workspace.Limits{Workspace: "shop", TimeoutMS: 400})
		wantRefusal(t, text, err, nameMaxTimeMSExpired, `workspace "shop" allows a query to run for 400 ms (query_timeout_ms)`)
	}
}

func TestAScriptEndsWithItsClient(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e, false)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, cancel)
	if _, err := e.Query(ctx, target, `while (true) {}`, noLimits); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestMemoryBombsHarmTheirScriptAlone(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e, false)
	for _, text := range []string{
		`let a = []; while (true) a.push(new Array(1000).fill(1.5))`, `"x".repeat(2 ** 30)`, `let s = "x"; while (true) s += s`,
		`new ArrayBuffer(2 ** 31)`, `let o = {}; for (let i = 0; ; i++) o["key" + i] = {i}`, `Array(2 ** 26).fill({}).map((_, i) => ({i}))`,
		`let l = ["x".repeat(1000)]; for (let i = 0; i < 30; i++) l = [l, l]; JSON.stringify(l)`, `let l = []; for (let i = 0; i < 60; i++) l = [l, l]; l`,
		`[..."x".repeat(2 ** 27)]`, `"x".padEnd(2 ** 30)`,
	} {
		_, err := e.Query(t.Context(), target, text, workspace.Limits{TimeoutMS: 60_000})
		failure, ok := errors.AsType[*workspace.Error](err)
		if !ok || failure.Code != workspace.BadRequest {
			t.Errorf("%s: got %v, want a bad request", text, err)
		}
	}
	for _, text := range []string{`(function f() { f() })()`, `let o = {}; o.o = o; o`, `let d = {}; for (let i = 0; i < 100000; i++) d = {d}; d`, `function f() { return [1].map(f) } f()`} {
		_, err := e.Query(t.Context(), target, text, workspace.Limits{TimeoutMS: 60_000})
		if failure, ok := errors.AsType[*workspace.Error](err); !ok || failure.Code != workspace.BadRequest {
			t.Errorf("%s: got %v, want a bad request", text, err)
		}
	}
	if got := shown(t, query(t, e, target, `1 + 1`)); got != "result [[2]]" {
		t.Errorf("the next query gives %s", got)
	}
}

func TestAScriptReachesNothingButItsDatabase(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e, false)
	for _, test := range []struct{ text, want string }{
		{`[typeof require, typeof process, typeof fs, typeof load, typeof cat, typeof fetch, typeof XMLHttpRequest, typeof Deno, typeof native].join()`,
			`result [["undefined,undefined,undefined,undefined,undefined,undefined,undefined,undefined,undefined"]]`},
		{`(function () { return typeof this.constructor.constructor("return native")  })()`, ``},
		{`Object.getOwnPropertyNames(globalThis).filter(n => /^(go|__|native|run$)/.test(n))`, ` []`},
		{`db.constructor.constructor`, `result [["WORKSPACE.constructor.constructor"]]`},
		{`Object.prototype.polluted = 1; Array.prototype.map = () => { throw 1 }; String.prototype.startsWith = () => true; db.c.insertOne({_id: 1}).insertedId`, ``},
		{`JSON.parse = () => { throw 1 }; Date = 5; EJSON.stringify(ObjectId("0123456789abcdef01234567"))`, `result [["{\"$oid\":\"0123456789abcdef01234567\"}"]]`},
		{`ObjectId.prototype.toString = () => "x"; db.p.insertOne({_id: ObjectId("0123456789abcdef01234567")}); db.p.findOne()._id.value`, `result [["0123456789abcdef01234567"]]`},
		{`({__proto__: {admin: true}, a: 1})`, `a [[1]]`},
		{`JSON.parse('{"__proto__": {"x": 1}}')`, `__proto__ [[{"x":1}]]`},
		{`({toJSON() { return 5 }, a: 1})`, `toJSON,a [[{"$code":"toJSON() { return 5 }"},1]]`},
		{`({_bsontype: "Long", value: "12"})`, `result [[12]]`},
		{`new Proxy({a: 1}, {get: (o, k) => k === "a" ? 2 : undefined})`, `a [[2]]`},
		{`print.constructor("return typeof process")()`, `result [["undefined"]]`},
	} {
		got, err := e.Query(t.Context(), target, test.text, workspace.Limits{TimeoutMS: 60_000})
		switch want := strings.ReplaceAll(test.want, "WORKSPACE", target.Database); {
		case want == "" && err == nil:
			continue // it may work, as long as the server is well
		case want != "" && err != nil:
			t.Errorf("%s: %v", test.text, err)
		case want != "" && shown(t, got) != want:
			t.Errorf("%s: got %s, want %s", test.text, shown(t, got), want)
		}
	}
}
