package test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mongosh is the shell on a connection string, of a user who has no settings.
func (in *installation) mongosh(t testing.TB, address string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, done := context.WithTimeout(context.Background(), clientTimeout)
	t.Cleanup(done)
	cmd := exec.CommandContext(ctx, "clients/node_modules/.bin/mongosh", append([]string{address, "--tlsCAFile", in.CAFile}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	return cmd
}

// mongoshFed runs the lines of stdin and gives what the shell said.
func (in *installation) mongoshFed(t testing.TB, address, stdin string, args ...string) string {
	t.Helper()
	cmd := in.mongosh(t, address, append(args, "--quiet")...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("mongosh: %v\n%.4000s", err, out)
	}
	return string(out)
}

func TestMongosh(t *testing.T) {
	mustHaveNodeModules(t)
	body := shared.mongoWorkspace(t, "mongosh", "tenant")
	address, name := body["connection_string"].(string), body["connection"].(map[string]any)["database"].(string)
	for _, step := range []struct {
		name, stdin string
		want        []string
	}{
		{"its database", "db\nshow dbs\ndb.version()\n", []string{name + "> " + name, "0 B"}},
		{"insert", "db.users.insertMany(Array.from({length: 50}, (_, n) => ({_id: n, name: 'user ' + n}))).acknowledged\n", []string{"true"}},
		{"show collections", "show collections\nshow tables\n", []string{"users"}},
		{"it", "db.users.find().sort({_id: 1})\nit\nit\n", []string{`Type "it" for more`, "'user 0'", "'user 20'", "'user 49'"}},
		{"update and delete", "db.users.updateOne({_id: 1}, {$set: {name: 'x'}}).modifiedCount\ndb.users.deleteMany({_id: {$gte: 48}}).deletedCount\ndb.users.findOne({_id: 1})\n",
			[]string{"> 1", "> 2", "name: 'x'"}},
		{"aggregate", "db.users.aggregate([{$match: {_id: {$lt: 10}}}, {$group: {_id: null, n: {$sum: 1}}}])\n", []string{"n: 10"}},
		{"indexes", "db.users.createIndex({name: 1}, {unique: true})\ndb.users.getIndexes()\ndb.users.dropIndex('name_1')\n", []string{"name_1", "unique: true", "nIndexesWas: 2"}},
		{"explain", "db.users.find({_id: {$lt: 2}}).explain()\n", []string{"queryPlanner"}},
		{"a server's error", "db.users.insertOne({_id: 1})\n", []string{"E11000"}},
		{"other databases", "db.getSiblingDB('admin').secrets.find()\nuse another\ndb.c.insertOne({})\n", []string{"Unauthorized", "switched to db another"}},
		{"server administration", "db.adminCommand({shutdown: 1})\ndb.shutdownServer()\n", []string{"it administers the server"}},
		{"exit", "db.users.countDocuments()\nexit\nnot run\n", []string{"48"}},
	} {
		t.Run(step.name, func(t *testing.T) {
			out := shared.mongoshFed(t, address, step.stdin)
			contains(t, step.name, out, step.want...)
			if strings.Contains(out, "not run") {
				t.Errorf("the shell goes on after exit:\n%s", out)
			}
		})
	}
	queue := (database{installation: shared, id: "mongosh"}).queue(t)
	var operations []string
	for _, e := range queue {
		operations = append(operations, e.Operation)
	}
	if len(queue) != 3 {
		t.Errorf("the queue has %v, want the collection, the index and its end", operations)
	}
	t.Run("a file of commands", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "script.js")
		if err := os.WriteFile(file, []byte("print('there are ' + db.users.countDocuments())"), 0o600); err != nil {
			t.Fatal(err)
		}
		contains(t, "the script", shared.mongoshFed(t, address, "", "--file", file), "there are 48")
	})
	t.Run("a wrong password", func(t *testing.T) {
		out, err := shared.mongosh(t, strings.Replace(address, shared.ProxyPassword, "tdb_0000000000000000", 1), "--eval", "db.users.find()").CombinedOutput()
		if err == nil {
			t.Errorf("it is let in:\n%s", out)
		}
		contains(t, "a wrong password", string(out), "Authentication failed")
	})
}

// TestMongoshGoesOnAfterACancelledQuery presses Ctrl-C at a terminal during a
// query without an end.
func TestMongoshGoesOnAfterACancelledQuery(t *testing.T) {
	mustHaveNodeModules(t)
	address := shared.mongoWorkspace(t, "mongosh-cancel", "control")["connection_string"].(string)
	shell := shared.mongosh(t, address, "--quiet")
	for i, arg := range shell.Args {
		shell.Args[i] = "'" + arg + "'"
	}
	ctx, done := context.WithTimeout(t.Context(), clientTimeout)
	defer done()
	cmd := exec.CommandContext(ctx, "script", "-qefc", strings.Join(shell.Args, " "), filepath.Join(t.TempDir(), "typescript"))
	cmd.Env = append(shell.Env, "TERM=dumb")
	keyboard, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var screen syncBuffer
	cmd.Stdout, cmd.Stderr = &screen, &screen
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the screen:\n%s", screen.String())
		}
	})
	shows := func(text string) {
		t.Helper()
		eventually(t, "the screen shows "+text, func() bool { return strings.Contains(screen.String(), text) })
	}
	types := func(text string) {
		t.Helper()
		if _, err := io.WriteString(keyboard, text); err != nil {
			t.Fatal(err)
		}
	}
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	shows("workspace>")
	types("print('run' + 'ning'); while (true) db.c.findOne()\r")
	shows("running")
	types("\x03")
	shows("Stopping execution")
	// What is typed while the shell still stops shows no result.
	eventually(t, "a command shows its result", func() bool {
		types("'af' + 'ter ' + db.c.countDocuments()\r")
		answered := time.After(5 * time.Second)
		for !strings.Contains(screen.String(), "after 0") {
			select {
			case <-answered:
				return false
			case <-poll.C:
			}
		}
		return true
	})
	types("exit\r")
	select {
	case err := <-ended:
		// mongosh remembers the Ctrl-C in its exit status, or doesn't.
		exit, interrupted := errors.AsType[*exec.ExitError](err)
		if err != nil && !(interrupted && exit.ExitCode() == 128+int(syscall.SIGINT)) {
			t.Errorf("exit: %v\n%s", err, screen.String())
		}
	case <-ctx.Done():
		t.Errorf("the shell does not exit:\n%s", screen.String())
	}
}

// TestMongoshSaysTheSameDirectAndThroughTheProxy runs one script on the server's
// own socket and on a workspace.
func TestMongoshSaysTheSameDirectAndThroughTheProxy(t *testing.T) {
	mustHaveNodeModules(t)
	body := shared.mongoWorkspace(t, "mongosh-parity", "tenant")
	name := body["connection"].(map[string]any)["database"].(string)
	direct := fmt.Sprintf("mongodb://%s/parity_direct?directConnection=true", url.QueryEscape(shared.ferretSocket(t)))
	const script = `
db.users.insertMany([{_id: 1, n: 1.5, s: 'ä', a: [1, {b: null}]}, {_id: 2, d: new Date(0), l: NumberLong('9007199254740993'), r: /x/i}])
db.users.insertOne({_id: 1})
db.users.insertMany([{_id: 3}, {_id: 3}, {_id: 4}], {ordered: false})
db.users.find().sort({_id: 1})
db.users.find({$bad: 1})
db.users.findOne({_id: 99})
db.users.find({_id: {$in: [1, 2]}}, {_id: 1}).sort({_id: -1}).skip(1).limit(1)
db.users.updateMany({}, {$set: {seen: true}})
db.users.updateOne({_id: 7}, {$inc: {n: 1}}, {upsert: true})
db.users.replaceOne({_id: 7}, {n: 8})
db.users.findOneAndUpdate({_id: 7}, {$inc: {n: 1}}, {returnDocument: 'after'})
db.users.findOneAndDelete({_id: 7})
db.users.distinct('seen')
db.users.countDocuments({seen: true})
db.users.estimatedDocumentCount()
db.users.aggregate([{$group: {_id: '$seen', n: {$sum: 1}}}])
db.users.aggregate([{$noStage: 1}])
db.users.bulkWrite([{insertOne: {document: {_id: 10}}}, {deleteOne: {filter: {_id: 10}}}])
db.createCollection('made', {capped: true, size: 4096, max: 10})
db.createCollection('made')
db.createCollection('bad$name')
db.made.isCapped()
db.users.createIndex({n: 1, s: -1}, {name: 'both', unique: true})
db.users.getIndexes()
db.users.dropIndex('none')
db.users.dropIndexes()
db.getCollectionNames().sort()
db.made.renameCollection('renamed')
db.none.renameCollection('other')
db.renamed.drop()
db.none.drop()
db.runCommand({ping: 1})
db.runCommand({noSuchCommand: 1})
db.runCommand({find: 7})
db.runCommand({insert: 'users'})
db.dropDatabase()
`
	lines := func(address string, args ...string) []string {
		cmd := shared.mongosh(t, address, "--quiet")
		cmd.Args = append([]string{cmd.Args[0], address, "--quiet"}, args...)
		cmd.Stdin = strings.NewReader(script)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("mongosh: %v\n%.4000s", err, out)
		}
		return strings.Split(strings.NewReplacer(name, "DATABASE", "parity_direct", "DATABASE").Replace(string(out)), "\n")
	}
	got, want := lines(body["connection_string"].(string), "--tlsCAFile", shared.CAFile), lines(direct)
	if len(want) < 100 || !slices.Equal(got, want) {
		t.Errorf("they differ:\n%s", firstDifference(strings.Join(got, "\n"), strings.Join(want, "\n")))
	}
}

// ferretSocket is where the installation's MongoDB server listens, by its own
// arguments.
func (in *installation) ferretSocket(t testing.TB) string {
	t.Helper()
	pid, err := os.ReadFile(filepath.Join(in.dir, "mongodb", "data", "ferretdb.pid"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%s/cmdline", strings.TrimSpace(string(pid))))
	if err != nil {
		t.Fatal(err)
	}
	arguments := strings.Split(string(text), "\x00")
	at := slices.Index(arguments, "-socket")
	if at < 0 {
		t.Fatalf("the server runs without a socket: %v", arguments)
	}
	return arguments[at+1]
}
