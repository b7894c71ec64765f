package mongodb

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// cutDeployments deploys v to a fresh tenant's database of e's server again and
// again, with the node cut off at each request in turn, before and after it is
// carried out, until none is cut. meanwhile is called before another node
// finishes the work, check after that.
func cutDeployments(t *testing.T, e *Engine, c *cutter, uri string, first, v workspace.Version, meanwhile, check func(t *testing.T, tenant workspace.Target)) {
	t.Helper()
	for _, late := range []bool{false, true} {
		for cut, ended := int64(1), false; !ended; cut++ {
			t.Run(fmt.Sprintf("%d late %t", cut, late), func(t *testing.T) {
				tenant := newTenant(t, e)
				deploy(t, e, tenant, first)
				c.late.Store(late)
				node := engineAt(t, uri)
				c.left.Store(cut)
				// It may fail or not; that is the point.
				_ = node.Deploy(t.Context(), tenant, v)
				ended = c.left.Swap(-1) > 0
				meanwhile(t, tenant)
				finish(t, e, tenant, v)
				check(t, tenant)
			})
			if cut > 500 {
				t.Fatal("there is no end of it")
			}
		}
	}
}

// finish deploys v after a node that was cut off. The server may still carry out
// that node's last request, and who meets it is told to try again.
func finish(t *testing.T, e *Engine, tenant workspace.Target, v workspace.Version) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		err := e.Deploy(t.Context(), tenant, v)
		if err == nil {
			return
		}
		if !errors.Is(err, workspace.ErrRival) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// TestADeploymentGoesOnWhereverItWasCut has clients write on while nobody works
// at the deployment: what they write to a collection after it was made anew is
// there in the end.
func TestADeploymentGoesOnWhereverItWasCut(t *testing.T) {
	e := newEngine(t)
	c := newCutter(t, server.Socket())
	first := versionOf(1, `{"create": "gone"}`, `{"createIndexes": "old", "indexes": [{"key": {"k": 1}, "name": "k_1"}, {"key": {"l": 1}, "name": "l_1"}]}`)
	v := versionOf(2, `{"drop": "gone"}`, `{"renameCollection": "any.old", "to": "any.new"}`, `{"dropIndexes": "new", "index": "k_1"}`,
		`{"createIndexes": "new", "indexes": [{"key": {"k": -1}, "name": "k_1", "unique": true}]}`)
	source := newTenant(t, e)
	deploy(t, e, source, first, v)
	query(t, e, source, `{"insert": "gone", "documents": [{"_id": 1}]}`)
	var kept bool
	cutDeployments(t, e, c, c.uri(), first, v, func(t *testing.T, tenant workspace.Target) {
		schema := schemaOf(t, e, tenant)
		kept = !strings.Contains(schema, `"gone"`)
		query(t, e, tenant, `db.gone.insertOne({_id: "written meanwhile"})`)
	}, func(t *testing.T, tenant workspace.Target) {
		rows := query(t, e, tenant, `db.gone.find()`).RowCount
		if kept && rows != 1 || !kept && rows != 0 {
			t.Errorf("%d documents, the collection was dropped before they were written: %t", rows, kept)
		}
		query(t, e, tenant, `db.gone.insertOne({_id: 1})`)
		wantSame(t, e, source, tenant)
	})
}

// TestWhatCanBeRunOnceIsRunOnceWhereverADeploymentWasCut counts what reaches a
// server that has users, collMod and views.
func TestWhatCanBeRunOnceIsRunOnceWhereverADeploymentWasCut(t *testing.T) {
	s, e := modelServer(t)
	c := newCutter(t, s.socket)
	uri := strings.Replace(c.uri(), "mongodb://", "mongodb://root:"+rootSecret+"@", 1)
	first := versionOf(1, `{"create": "target"}`, `{"createIndexes": "old", "indexes": [{"key": {"k": 1}, "name": "k_1"}]}`, `{"create": "seen", "viewOn": "target", "pipeline": []}`)
	v := versionOf(2, `{"renameCollection": "any.old", "to": "any.target", "dropTarget": true}`, `{"dropIndexes": "target", "index": "k_1"}`,
		`{"drop": "seen"}`, `{"create": "seen", "validator": {"a": 1}}`, `{"collMod": "seen", "validator": {"a": 2}}`)
	source := newTenant(t, e)
	deploy(t, e, source, first, v)
	cutDeployments(t, e, c, uri, first, v, func(*testing.T, workspace.Target) {}, func(t *testing.T, tenant workspace.Target) {
		wantSame(t, e, source, tenant)
		times := map[string]int{}
		for _, sent := range s.sent() {
			command := append(bson.D{}, sent.command...)
			if sent.user != tenant.Database+"."+tenant.Owner || sent.name == "ping" || sent.name == "collMod" {
				continue
			}
			text, err := bson.MarshalExtJSON(bson.D{command[0]}, false, false)
			if err != nil {
				t.Fatal(err)
			}
			times[string(text)]++
		}
		if len(times) != 6 { // with those of the first version, and one name twice
			t.Errorf("got %v", times)
		}
		for command, n := range times {
			want := 1
			if strings.Contains(command, `"create":"seen"`) {
				want = 2
			}
			if n != want {
				t.Errorf("%s reached the server %d times, want %d", command, n, want)
			}
		}
	})
}
