package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/engine/mongodb/shell"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// maxResultBytes bounds what the replies to one query hold in memory.
const maxResultBytes = 64 << 20

// errTimeout is why a query that ran into its time limit was stopped.
var errTimeout = errors.New("query time limit reached")

// Query runs text, which is what mongosh takes or one command document, as the
// target's user. The last statement's value is the result. Only commands that
// stay inside of the database are run; what they change in a workspace's schema
// is noted command by command, and a tenant's they may not change.
func (e *Engine) Query(ctx context.Context, t workspace.Target, text string, limits workspace.Limits) (workspace.Result, error) {
	if strings.ContainsRune(text, 0) {
		return workspace.Result{}, workspace.Errorf(workspace.BadRequest, "query holds a zero byte, which MongoDB does not take")
	}
	n, err := e.kind(ctx)
	if err != nil {
		return workspace.Result{}, err
	}
	client, release, err := e.asRole(ctx, t)
	if err != nil {
		return workspace.Result{}, err
	}
	defer release()
	session, err := client.StartSession()
	if err != nil {
		return workspace.Result{}, e.failed("start session", err)
	}
	defer session.EndSession(context.WithoutCancel(ctx))

	running, stop := bounded(ctx, limits.TimeoutMS)
	defer stop()
	start := time.Now()
	r := &runner{
		engine: e, client: client, session: session, database: t.Database, deployed: t.Owner != "", limits: limits, ferret: n.ferret,
		ends: start.Add(time.Duration(limits.TimeoutMS) * time.Millisecond), cursors: map[int64]*counted{}, known: map[string]bool{}, source: sourceAPI,
	}
	defer r.killCursors(ctx)
	result, err := r.evaluate(running, text)
	if err != nil {
		return workspace.Result{}, r.verdict(running, err)
	}
	result.Bytes, result.Elapsed = int64(r.bytes), time.Since(start)
	return result, nil
}

// bounded ends with ctx or after the time limit. It has no deadline: the driver
// would put it into each command, and not every server takes that.
func bounded(ctx context.Context, ms int64) (context.Context, func()) {
	running, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	unwatch := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	stop := func() bool { return true }
	if ms > 0 {
		stop = time.AfterFunc(time.Duration(ms)*time.Millisecond, func() { cancel(errTimeout) }).Stop
	}
	return running, func() {
		stop()
		unwatch()
		cancel(nil)
	}
}

// runner runs the commands of one query.
type runner struct {
	engine   *Engine
	client   *mongo.Client
	session  *mongo.Session
	database string
	deployed bool // it is a tenant's, whose schema is fixed
	limits   workspace.Limits
	ferret   bool
	ends     time.Time

	cursors map[int64]*counted // open ones
	bytes   int                // of all replies
	known   map[string]bool    // collections that this query has written to
	source  string             // of the changes
	unit    string             // of all changes; empty: each has its own
	tracked *bool              // nil until it matters
}

// counted is an open cursor and what it gave so far.
type counted struct {
	collection string
	rows       int64
}

// evaluate gives the result of a command document or of a script.
func (r *runner) evaluate(ctx context.Context, text string) (workspace.Result, error) {
	if command, ok := commandDocument(text); ok {
		return r.runDocument(ctx, command)
	}
	select {
	case r.engine.shells <- struct{}{}:
		defer func() { <-r.engine.shells }()
	case <-ctx.Done():
		return workspace.Result{}, ctx.Err()
	}
	process := shell.Process{Command: r.engine.config.Shell}
	if r.deployed {
		process.Fixed = ddltrack.MongoSchemaCommands()
	}
	outcome, err := process.Run(ctx, text, r.database, func(command bson.D) (shell.Answer, error) {
		return r.run(ctx, command)
	})
	if err != nil {
		return workspace.Result{}, err
	}
	if strings.HasPrefix(strings.TrimSpace(text), "{") && outcome.Value.Type == bson.TypeEmbeddedDocument {
		// It is a command document with JavaScript's liberties.
		var command bson.D
		if err := outcome.Value.Unmarshal(&command); err != nil {
			return workspace.Result{}, fmt.Errorf("read command document: %w", err)
		}
		if len(command) > 0 {
			return r.runDocument(ctx, command)
		}
	}
	return r.result(outcome)
}

// commandDocument is text as one command in Extended JSON, if it is that.
func commandDocument(text string) (bson.D, bool) {
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return nil, false
	}
	var command bson.D
	err := bson.UnmarshalExtJSON([]byte(text), false, &command)
	return command, err == nil && len(command) > 0
}

// runDocument gives a command's reply as one row, or the documents of its
// cursor.
func (r *runner) runDocument(ctx context.Context, command bson.D) (workspace.Result, error) {
	answer, err := r.run(ctx, command)
	if err != nil {
		return workspace.Result{}, err
	}
	if answer.Error != "" {
		return workspace.Result{}, &shell.Failure{Message: answer.Error, Code: answer.Code, CodeName: answer.CodeName}
	}
	documents, ns, id, is := batchOf(answer.Reply)
	if !is {
		if failure := writeFailure(answer.Reply); failure != nil {
			return workspace.Result{}, failure
		}
		result, err := rowsOf([]bson.RawValue{{Type: bson.TypeEmbeddedDocument, Value: answer.Reply}})
		result.RowsAffected = affectedBy(command, answer.Reply)
		return result, err
	}
	for id != 0 {
		_, collection, _ := strings.Cut(ns, ".")
		answer, err := r.run(ctx, bson.D{{Key: "getMore", Value: id}, {Key: "collection", Value: collection}})
		if err != nil {
			return workspace.Result{}, err
		}
		if answer.Error != "" {
			return workspace.Result{}, &shell.Failure{Message: answer.Error, Code: answer.Code, CodeName: answer.CodeName}
		}
		var more []bson.RawValue
		more, _, id, _ = batchOf(answer.Reply)
		documents = append(documents, more...)
	}
	return rowsOf(documents)
}

// run runs one command of the query. An error ends the query; what a script may
// catch is in the answer.
func (r *runner) run(ctx context.Context, command bson.D) (shell.Answer, error) {
	if r.deployed && ddltrack.ChangesMongoSchema(command) {
		return shell.Answer{}, workspace.NoDDLQuery()
	}
	if why := outOfBounds(command, r.database); why != "" {
		return shell.Answer{Error: why, Code: codeUnauthorized, CodeName: nameUnauthorized}, nil
	}
	if r.ferret && quoted(command) {
		return shell.Answer{Error: "the name of a collection, an index or an indexed field can't hold a double quote on this server", Code: codeInvalidNamespace, CodeName: "InvalidNamespace"}, nil
	}
	explicit, implicit := ddltrack.MayChangeMongoSchema(command)
	var (
		answer shell.Answer
		err    error
	)
	if explicit {
		answer, err = r.change(ctx, command)
	} else {
		answer, err = r.send(ctx, command)
	}
	if err == nil && implicit {
		err = r.look(ctx, command)
	}
	if err != nil {
		return shell.Answer{}, err
	}
	return answer, r.count(command, answer.Reply)
}

// change runs a command that is there to change the schema and notes what it
// did; one at a time, so that each is noted in its own words.
func (r *runner) change(ctx context.Context, command bson.D) (shell.Answer, error) {
	d := r.engine.database(r.database)
	d.changing.Lock()
	defer d.changing.Unlock()
	d.announced.add(announcement{command: ddltrack.MongoCommand(command), source: r.source, unit: r.unit})
	answer, err := r.send(ctx, command)
	if err != nil || answer.Error != "" {
		return answer, err
	}
	return answer, r.engine.takeTracked(context.WithoutCancel(ctx), r.database, announcement{source: r.source, unit: r.unit})
}

// look notes the collection that a write made, if it was the first to it.
func (r *runner) look(ctx context.Context, command bson.D) error {
	_, collection := ddltrack.MongoNameAndTarget(command)
	if r.known[collection] && command[0].Key != "aggregate" && command[0].Key != "bulkWrite" {
		return nil
	}
	r.known[collection] = true
	if r.tracked == nil {
		tracked, err := r.engine.isTracked(ctx, r.database)
		if err != nil {
			return err
		}
		r.tracked = &tracked
	}
	if !*r.tracked {
		return nil
	}
	return r.engine.takeTracked(context.WithoutCancel(ctx), r.database, announcement{source: r.source, unit: r.unit})
}

// send sends one command and gives the server's answer. An error is one that no
// script can go on after.
func (r *runner) send(ctx context.Context, command bson.D) (shell.Answer, error) {
	command = r.timed(command)
	raw, err := databaseFor(r.client, r.database, command).RunCommand(mongo.NewSessionContext(ctx, r.session), command).Raw()
	if err != nil && len(raw) == 0 && isReplyTooLarge(err) {
		return shell.Answer{}, batchTooLarge().Because(err)
	}
	if err != nil && len(raw) == 0 && (code(err) == 0 || unusable(err)) {
		return shell.Answer{}, err
	}
	if code(err) == codeMaxTimeMSExpired && r.limits.TimeoutMS > 0 && !time.Now().Before(r.ends) {
		return shell.Answer{}, errTimeout
	}
	if r.bytes += len(raw); r.bytes > maxResultBytes {
		return shell.Answer{}, tooLarge()
	}
	return answerOf(raw, err), nil
}

// answerOf is what a command gave. What the server refused of a write is in the
// reply, as it is for any client.
func answerOf(raw bson.Raw, err error) shell.Answer {
	answer := shell.Answer{Reply: raw}
	if failed, ok := errors.AsType[mongo.CommandError](err); ok {
		answer.Error, answer.Code, answer.CodeName = failed.Message, failed.Code, failed.Name
		if len(raw) == 0 {
			answer.Reply = failed.Raw
		}
		return answer
	}
	if failed, ok := errors.AsType[mongo.WriteException](err); ok && len(raw) == 0 {
		answer.Reply = failed.Raw
	}
	if err != nil && len(answer.Reply) == 0 {
		answer.Error = err.Error()
	}
	return answer
}

// timed puts the time that is left into a command, so that the server itself
// ends it. FerretDB heeds none, and refuses some.
func (r *runner) timed(command bson.D) bson.D {
	if r.limits.TimeoutMS == 0 || r.ferret || slices.ContainsFunc(command, func(e bson.E) bool { return e.Key == "maxTimeMS" }) {
		return command
	}
	switch command[0].Key {
	case "find", "aggregate", "count", "distinct", "findAndModify", "findandmodify", "explain", "validate":
		left := max(1, time.Until(r.ends).Milliseconds())
		return append(slices.Clip(command), bson.E{Key: "maxTimeMS", Value: left})
	}
	return command
}

// count counts the documents of a cursor's batch, over all of its batches.
func (r *runner) count(command bson.D, reply bson.Raw) error {
	documents, ns, id, is := batchOf(reply)
	if !is {
		return nil
	}
	rows := int64(len(documents))
	if command[0].Key == "getMore" {
		if asked, ok := command[0].Value.(int64); ok && r.cursors[asked] != nil {
			rows += r.cursors[asked].rows
			delete(r.cursors, asked)
		}
	}
	if id != 0 {
		_, collection, _ := strings.Cut(ns, ".")
		r.cursors[id] = &counted{collection: collection, rows: rows}
	}
	if r.limits.MaxRows > 0 && rows > r.limits.MaxRows {
		return rowLimitError(r.limits)
	}
	return nil
}

// killCursors ends what the query left open.
func (r *runner) killCursors(ctx context.Context) {
	if len(r.cursors) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	for id, c := range r.cursors {
		// One that is gone needs no killing, and the server ends idle ones.
		_ = r.client.Database(r.database).RunCommand(mongo.NewSessionContext(ctx, r.session), bson.D{
			{Key: "killCursors", Value: c.collection}, {Key: "cursors", Value: bson.A{id}},
		}).Err()
	}
}

// verdict is what the client is told of an error.
func (r *runner) verdict(ctx context.Context, err error) error {
	failure, isFailure := errors.AsType[*shell.Failure](err)
	refused, isRefused := errors.AsType[*workspace.Error](err)
	switch {
	case isRefused:
		return refused
	case errors.Is(err, shell.ErrSchemaFixed):
		return workspace.NoDDLQuery()
	case errors.Is(err, errTimeout) || errors.Is(context.Cause(ctx), errTimeout):
		return timeoutError(r.limits).Because(err)
	case ctx.Err() != nil:
		return fmt.Errorf("run query: %w", context.Cause(ctx))
	case isFailure:
		name := failure.CodeName
		if name == "" {
			name = nameOf(failure.Code)
		}
		return refusal(failure.Code, name, "%s", failure.Message).Because(err)
	case errors.Is(err, shell.ErrBroken):
		return refusal(0, "", "the script was ended: it needs more memory, or a deeper stack, than a query may have").Because(err)
	}
	return r.engine.failed("run query", err)
}
