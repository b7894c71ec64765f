package mongodb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// deployed is what a tenant's database has of its blueprint. It is kept in the
// database's journal, in the state that is true.
type deployed struct {
	Version int64   `bson:"version"` // the newest that it has whole
	Entries []int64 `bson:"entries"` // that it has of the next one
	// Running is the entry that was being run when this was noted, 0 for none;
	// the state's schema is what it is about, from before that.
	Running int64 `bson:"running"`
}

// Deploy runs the version's entries one after the other. The server's DDL knows
// no transactions, so each entry is noted in the journal before it is run, and
// as done before the next; where a node ended in between, the catalog tells
// whether the server carried it out.
func (e *Engine) Deploy(ctx context.Context, t workspace.Target, v workspace.Version) error {
	held := e.database(t.Database)
	held.changing.Lock()
	defer held.changing.Unlock()
	s, found, err := e.load(ctx, t.Database)
	switch {
	case err != nil:
		return err
	case !found:
		return fmt.Errorf("deploy to database %s: %w", t.Database, errNoJournal)
	case s.Deployed.Version >= v.Number:
		return nil
	}
	d := &deployment{engine: e, database: t.Database, version: v.Number, state: s, done: s.Deployed.Entries}
	client, release, err := e.asOwner(ctx, t)
	if err != nil {
		return d.partly(err)
	}
	defer release()
	d.client = client
	for _, entry := range v.Entries {
		if err := d.run(ctx, entry); err != nil {
			return d.partly(err)
		}
	}
	return d.partly(d.note(ctx, nil, func(now *deployed) { *now = deployed{Version: v.Number} }))
}

// deployment is one version on its way to a database.
type deployment struct {
	engine   *Engine
	client   *mongo.Client // the owner's
	database string
	version  int64
	state    state   // as it was noted last
	done     []int64 // entries that took effect; the last may not be noted yet
}

// run gives the database one entry, if it does not have it.
func (d *deployment) run(ctx context.Context, entry workspace.Entry) error {
	if slices.Contains(d.done, entry.ID) {
		return nil
	}
	command, err := ddltrack.ParseMongoCommand(cmp.Or(entry.Kept, entry.Statement))
	if err != nil {
		return fmt.Errorf("deploy DDL %d: %w", entry.ID, err)
	}
	if explicit, _ := ddltrack.MayChangeMongoSchema(command); !explicit {
		return fmt.Errorf("deploy DDL %d: %s changes no schema", entry.ID, command[0].Key)
	}
	command = ddltrack.MongoCommandFor(command, d.database)
	ended, err := d.begin(ctx, entry.ID, command)
	if err == nil && !ended {
		err = d.send(ctx, entry, command)
	}
	if err == nil {
		d.done = append(d.done, entry.ID)
	}
	return err
}

// begin notes that the entry is about to be run. It says whether the entry took
// effect already, when it was being run before.
func (d *deployment) begin(ctx context.Context, entry int64, command bson.D) (ended bool, err error) {
	now, err := d.engine.schema(ctx, d.database, collections(command)...)
	if err != nil {
		return false, err
	}
	if d.state.Deployed.Running == entry {
		before, err := d.state.schema()
		return err == nil && ddltrack.MongoTookEffect(command, before, now), err
	}
	return false, d.note(ctx, now, func(is *deployed) { is.Entries, is.Running = d.done, entry })
}

// send has the server run the entry's command. What the server refuses though it
// is so already, by a command that had no answer or by a tenant's write, is done.
func (d *deployment) send(ctx context.Context, entry workspace.Entry, command bson.D) error {
	err := databaseFor(d.client, d.database, command).RunCommand(ctx, command).Err()
	if err == nil {
		return nil
	}
	if code(err) == 0 || unusable(err) {
		// It may have run: the next Deploy finds that out.
		return d.engine.failed(fmt.Sprintf("deploy DDL %d to database %s", entry.ID, d.database), err)
	}
	before, unread := d.state.schema()
	if unread != nil {
		return unread
	}
	now, unread := d.engine.schema(ctx, d.database, collections(command)...)
	if unread != nil {
		return unread
	}
	if ddltrack.MongoTookEffect(command, before, now) {
		return nil
	}
	// Once it is refused it is in doubt no more; what happens to its collection
	// until it is tried again is not its effect.
	if unnoted := d.note(ctx, nil, func(is *deployed) { is.Running = 0 }); unnoted != nil {
		return unnoted
	}
	return refusedEntry(entry, err)
}

// note leads the journal to a state that says what is so of the version, with the
// collections that its running entry is about. Nobody else leads the journal of a
// tenant's database: where it went on, another node is at the same work.
func (d *deployment) note(ctx context.Context, about []ddltrack.MongoCollection, change func(*deployed)) error {
	noted, err := d.engine.lead(ctx, d.database, func(s *state) (bool, error) {
		if s.Number != d.state.Number {
			return false, workspace.ErrRival
		}
		change(&s.Deployed)
		return true, s.setSchema(about)
	})
	if err == nil && noted.Number != d.state.Number+1 {
		err = workspace.ErrRival
	}
	if errors.Is(err, workspace.ErrRival) {
		return workspace.Errorf(workspace.Conflict, "database %s is being deployed to by another node; try again when it is done", d.database).Because(err)
	}
	if err != nil {
		return fmt.Errorf("note version %d in the journal of %s: %w", d.version, d.database, err)
	}
	d.state = noted
	return nil
}

// partly marks the error of a version of which something took effect, or may
// have.
func (d *deployment) partly(err error) error {
	if err == nil || len(d.done) == 0 && d.state.Deployed.Running == 0 {
		return err
	}
	return workspace.Partly(err)
}

// refusedEntry is the server's reason for not running an entry.
func refusedEntry(entry workspace.Entry, err error) *workspace.Error {
	f := answerOf(nil, err)
	refused := refusal(f.Code, cmp.Or(f.CodeName, nameOf(f.Code)), "DDL %d was refused: %s", entry.ID, f.Error).Because(err)
	refused.Details["ddl_id"] = entry.ID
	return refused
}
