package workspace_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// fakeServer is a physical server in memory with a journal like the real one's:
// a committed change is in it until it is forgotten.
type fakeServer struct {
	dbType workspace.DatabaseType
	faults *faults

	mu        sync.Mutex
	databases map[string]*fakeDatabase
	reads     int // of journals
	rows      int // that a query gives
	bytes     int64
}

type fakeDatabase struct {
	target   workspace.Target
	tracked  bool
	nextID   int64
	journal  []workspace.Change
	schema   []string
	versions []int64 // deployed to it
	reader   string  // that it has
}

func newFakeServer(t workspace.DatabaseType, f *faults) *fakeServer {
	return &fakeServer{dbType: t, faults: f, databases: map[string]*fakeDatabase{}}
}

func (f *fakeServer) Type() workspace.DatabaseType { return f.dbType }

func (f *fakeServer) Address() workspace.Address {
	return workspace.Address{Network: "unix", Addr: "/run/fake"}
}

func (f *fakeServer) Prepare(context.Context) error {
	return f.faults.around("prepare", func() error { return nil })
}

func (f *fakeServer) Ping(context.Context) error {
	return f.faults.around("ping", func() error { return nil })
}

func (f *fakeServer) Create(_ context.Context, t workspace.Target, tracked bool) error {
	return f.faults.around("create", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.databases[t.Database] == nil {
			f.databases[t.Database] = &fakeDatabase{target: t, tracked: tracked}
		}
		return nil
	})
}

func (f *fakeServer) Drop(_ context.Context, t workspace.Target) error {
	return f.faults.around("drop", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.databases, t.Database)
		return nil
	})
}

func (f *fakeServer) SetReader(_ context.Context, t workspace.Target) error {
	return f.faults.around("set reader", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.databases[t.Database].reader = t.Reader
		return nil
	})
}

func (f *fakeServer) DropReader(_ context.Context, t workspace.Target) error {
	return f.faults.around("drop reader", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if db := f.databases[t.Database]; db != nil {
			db.reader = ""
		}
		return nil
	})
}

// readers is the databases that have a reader.
func (f *fakeServer) readers() (all []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, db := range f.databases {
		if db.reader != "" {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

func (f *fakeServer) Exists(_ context.Context, name string) (found bool, err error) {
	err = f.faults.around("exists", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		found = f.databases[name] != nil
		return nil
	})
	return found, err
}

func (f *fakeServer) Query(_ context.Context, t workspace.Target, text string, l workspace.Limits) (workspace.Result, error) {
	err := f.faults.around("query", func() error {
		f.commit(t.Database, change(text))
		return nil
	})
	return workspace.Result{RowCount: l.MaxRows, Rows: make([][]any, f.rows), Bytes: f.bytes}, err
}

func (f *fakeServer) Tables(context.Context, workspace.Target) (tables []workspace.Table, err error) {
	err = f.faults.around("tables", func() error {
		tables = []workspace.Table{{Name: "users"}}
		return nil
	})
	return tables, err
}

func (f *fakeServer) Definitions(_ context.Context, t workspace.Target) (all []string, err error) {
	err = f.faults.around("definitions", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		all = slices.Clone(f.databases[t.Database].schema)
		return nil
	})
	return all, err
}

func (f *fakeServer) Changes(_ context.Context, t workspace.Target) (all []workspace.Change, err error) {
	err = f.faults.around("changes", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.reads++
		db := f.databases[t.Database]
		if db == nil {
			return errors.New("no such database")
		}
		all = slices.Clone(db.journal)
		return nil
	})
	return all, err
}

func (f *fakeServer) Forget(_ context.Context, t workspace.Target, ids []int64) error {
	return f.faults.around("forget", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		db := f.databases[t.Database]
		db.journal = slices.DeleteFunc(db.journal, func(c workspace.Change) bool { return slices.Contains(ids, c.JournalID) })
		return nil
	})
}

func (f *fakeServer) Revert(_ context.Context, t workspace.Target, e workspace.Entry) error {
	return f.faults.around("revert", func() error {
		f.commit(t.Database, workspace.Change{Statement: e.Reverse, Reverts: e.ID})
		return nil
	})
}

// Deploy has each version once, as real servers have.
func (f *fakeServer) Deploy(_ context.Context, t workspace.Target, v workspace.Version) error {
	return f.faults.around("deploy", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		db := f.databases[t.Database]
		if slices.Contains(db.versions, v.Number) {
			return nil
		}
		db.versions = append(db.versions, v.Number)
		for _, e := range v.Entries {
			db.schema = append(db.schema, e.Statement)
		}
		return nil
	})
}

// commit is a transaction of some client that changes the schema.
func (f *fakeServer) commit(database string, changes ...workspace.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	db := f.databases[database]
	unit := fmt.Sprintf("tx%d", db.nextID)
	for _, c := range changes {
		db.nextID++
		c.JournalID, c.Unit = db.nextID, unit
		db.journal = append(db.journal, c)
		db.schema = append(db.schema, c.Statement)
	}
}

func (f *fakeServer) names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.databases))
}

func (f *fakeServer) journalReads() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads
}

// faults decides which operations of servers and catalog fail.
type faults struct {
	mu    sync.Mutex
	fail  map[string]error // by operation
	hook  map[string]func()
	alive int  // operations until the process is dead; negative: it lives
	late  bool // the one that dies has its effect, and the answer is lost
}

var errDead = errors.New("process is dead")

func newFaults() *faults {
	return &faults{fail: map[string]error{}, hook: map[string]func(){}, alive: -1}
}

// around runs one operation, or lets it fail.
func (f *faults) around(operation string, do func() error) error {
	dies, hook, err := f.next(operation)
	if hook != nil {
		hook()
	}
	if err != nil {
		return err
	}
	if dies && !f.late {
		return errDead
	}
	err = do()
	if dies {
		return errDead
	}
	return err
}

func (f *faults) next(operation string) (dies bool, hook func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.alive == 0:
		return false, nil, errDead
	case f.alive > 0:
		f.alive--
		return f.alive == 0, nil, nil
	}
	return false, f.hook[operation], f.fail[operation]
}

// set makes every call of operation fail; nil makes it work again.
func (f *faults) set(operation string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail[operation] = err
}

func (f *faults) on(operation string, hook func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook[operation] = hook
}

// dieAt makes the n-th operation from now the last one; 0 for none.
func (f *faults) dieAt(n int, late bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.alive, f.late = n, late
	if n == 0 {
		f.alive = -1
	}
}

// died says whether the point of dieAt has been reached.
func (f *faults) died() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.alive == 0
}

// fakeSessions remembers which workspaces, and which keys' logins, were closed.
type fakeSessions struct {
	onClose    func(id int64)
	onCloseKey func(key *workspace.LiveKey)
}

func (x fakeSessions) CloseKey(_ context.Context, key *workspace.LiveKey) { x.onCloseKey(key) }

func (x fakeSessions) CloseWorkspace(_ context.Context, id int64) { x.onClose(id) }

func (x fakeSessions) Renew(int64) {}
