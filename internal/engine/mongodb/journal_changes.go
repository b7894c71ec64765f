package mongodb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Where changes come from.
const (
	sourceProxy  = "proxy"
	sourceAPI    = "api"
	sourceImport = "import"
)

// Changes notes how the database differs from when it was last looked at, and
// lists what was noted and not yet forgotten, in an order in which it can be
// replayed.
func (e *Engine) Changes(ctx context.Context, t workspace.Target) ([]workspace.Change, error) {
	s, err := e.take(ctx, t.Database, announcement{source: sourceProxy})
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", t.Database, err)
	}
	changes := make([]workspace.Change, len(s.Pending))
	for i, n := range s.Pending {
		changes[i] = n.change()
	}
	return changes, nil
}

// Forget removes changes from the journal.
func (e *Engine) Forget(ctx context.Context, t workspace.Target, journalIDs []int64) error {
	_, err := e.advance(ctx, t.Database, func(s *state) (bool, error) {
		before := len(s.Pending)
		s.Pending = slices.DeleteFunc(s.Pending, func(n note) bool { return slices.Contains(journalIDs, n.ID) })
		return len(s.Pending) < before, nil
	})
	if err != nil {
		return fmt.Errorf("database %s: forget schema changes: %w", t.Database, err)
	}
	return nil
}

// take notes what changed and gives the state after that. The schema is listed
// after the state was read, so that it is never the older of the two. What was
// not announced, such as the collection that a write makes, has the source and the
// unit of otherwise.
func (e *Engine) take(ctx context.Context, database string, otherwise announcement) (state, error) {
	var used []announcement
	announced := &e.database(database).announced
	s, err := e.advance(ctx, database, func(s *state) (bool, error) {
		now, err := e.schema(ctx, database)
		if err != nil {
			return false, err
		}
		d := difference{database: database, state: s, after: now, said: announced.list(), otherwise: otherwise, at: time.Now().UTC()}
		found, err := d.note()
		used = d.used
		return found, err
	})
	if err != nil {
		return state{}, err
	}
	announced.remove(used)
	return s, nil
}

// difference is what happened between a state and a listing.
type difference struct {
	database string
	state    *state
	after    []ddltrack.MongoCollection
	said     []announcement
	at       time.Time
	used     []announcement

	otherwise announcement // source and unit of what is not among them
}

// note adds what changed to the state; false where nothing did.
func (d *difference) note() (bool, error) {
	before, err := d.state.schema()
	if err != nil {
		return false, err
	}
	changes := ddltrack.CompareMongo(d.database, before, d.after)
	if len(changes) == 0 {
		return false, nil
	}
	changes = d.takeReverts(before, changes)
	commands := make([]bson.D, len(d.said))
	for i, a := range d.said {
		commands[i] = a.command
	}
	units := map[int]string{} // of the announced commands that are used
	for _, c := range ddltrack.InClientsWords(d.database, before, d.after, changes, commands) {
		n, err := d.noteOf(c)
		if err != nil {
			return false, err
		}
		if c.Said >= 0 {
			n.Source = d.said[c.Said].source
			if units[c.Said] == "" {
				units[c.Said] = cmp.Or(d.said[c.Said].unit, strconv.FormatInt(n.ID, 10))
				d.used = append(d.used, d.said[c.Said])
			}
			n.Unit = units[c.Said]
		}
		d.state.Pending = append(d.state.Pending, n)
	}
	return true, d.state.setSchema(d.after)
}

// noteOf gives a change its number.
func (d *difference) noteOf(c ddltrack.MongoChange) (note, error) {
	text, err := ddltrack.MongoStatement(c.Command)
	if err != nil {
		return note{}, err
	}
	d.state.Last++
	return note{
		ID: d.state.Last, Unit: cmp.Or(d.otherwise.unit, strconv.FormatInt(d.state.Last, 10)), Statement: text,
		Operation: c.Operation, ObjectType: c.ObjectType, Object: c.Object, Identity: c.Identity,
		Reverse: c.Reverse, WhyNot: c.WhyNot, References: c.References,
		Source: d.otherwise.source, Warnings: c.Warnings, At: d.at,
	}, nil
}

// takeReverts notes the changes that are those of reverts, and gives the others.
// A revert whose collection was changed in another way meanwhile is given up:
// what happens to it from now on is no revert any more.
func (d *difference) takeReverts(before []ddltrack.MongoCollection, changes []ddltrack.MongoChange) []ddltrack.MongoChange {
	var waiting []revert
	for _, r := range d.state.Reverting {
		command, err := ddltrack.ParseMongoCommand(r.Command)
		if err != nil {
			continue
		}
		said := ddltrack.InClientsWords(d.database, before, d.after, changes, []bson.D{command})
		i := slices.IndexFunc(said, func(c ddltrack.MongoChange) bool { return c.Said == 0 })
		switch {
		case i >= 0 && len(said) == len(changes):
			d.noteRevert(r, changes[i])
			changes = slices.Delete(slices.Clone(changes), i, i+1)
		case !slices.ContainsFunc(changes, func(c ddltrack.MongoChange) bool { return sharesCollection(c.Command, command) }):
			waiting = append(waiting, r)
		}
	}
	d.state.Reverting = waiting
	return changes
}

func (d *difference) noteRevert(r revert, c ddltrack.MongoChange) {
	d.state.Last++
	d.state.Pending = append(d.state.Pending, note{
		ID: d.state.Last, Unit: strconv.FormatInt(d.state.Last, 10), Statement: r.Command, Operation: c.Operation,
		ObjectType: c.ObjectType, Object: c.Object, Identity: c.Identity, Source: sourceAPI, At: d.at, Reverts: r.Entry,
	})
	d.state.Reverted = last(append(d.state.Reverted, r.Entry), keptWrites)
}

// sharesCollection says whether two commands are about one collection.
func sharesCollection(a, b bson.D) bool {
	return slices.ContainsFunc(collections(a), func(name string) bool { return slices.Contains(collections(b), name) })
}

// collections are those that a command is about.
func collections(command bson.D) []string {
	name, collection := ddltrack.MongoNameAndTarget(command)
	all := []string{collection}
	if name != "renameCollection" {
		return all
	}
	for _, e := range command {
		if to, ok := e.Value.(string); ok && e.Key == "to" {
			_, to, _ = strings.Cut(to, ".")
			all = append(all, to)
		}
	}
	return all
}

// isTracked says whether the database's changes are followed.
func (e *Engine) isTracked(ctx context.Context, database string) (bool, error) {
	s, found, err := e.load(ctx, database)
	return found && s.Tracked, err
}

// takeTracked is take after a command of the API, where the database is tracked.
func (e *Engine) takeTracked(ctx context.Context, database string, otherwise announcement) error {
	_, err := e.take(ctx, database, otherwise)
	if errors.Is(err, errNotTracked) {
		return nil
	}
	return err
}
