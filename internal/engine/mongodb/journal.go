package mongodb

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// The journal of a database is a collection of its own beside the workspaces'
// databases.
//
// Its documents are states of the database: how its schema was, what changed on
// the way there and is not forgotten yet. The one with the greatest number is
// true. A change is one insert of the next number, which the unique index on
// _id lets only one node do; whoever comes second reads again. So a schema
// change and the state that no longer shows it are durable together, on any
// server: FerretDB keeps neither transactions nor the atomicity of an update.
//
// Older states are deleted after that. A node that slept may then insert a
// number that was used and deleted; nobody reads it, and the node notices,
// since the state that is true does not name its write.
const (
	journalDatabase = "tenantsdb"
	journalPrefix   = "journal."
)

const (
	maxRivals   = 50 // states that others may put in our way, one after the other
	keptWrites  = 32
	rivalryWait = 20 * time.Millisecond
)

// state is one document of a journal.
type state struct {
	Number    int64    `bson:"_id"`
	Tracked   bool     `bson:"tracked"`
	Schema    []byte   `bson:"schema"` // a snapshot; in bytes, since its fields may have any name
	Last      int64    `bson:"last"`   // the JournalID that was given last
	Pending   []note   `bson:"pending"`
	Reverting []revert `bson:"reverting"`
	Reverted  []int64  `bson:"reverted"` // entries whose revert was noted, the last few
	Writes    []string `bson:"writes"`   // that led here, the last few
	Deployed  deployed `bson:"deployed"` // of a tenant's database
}

// snapshot is a schema in its bytes.
type snapshot struct {
	Collections []ddltrack.MongoCollection `bson:"collections"`
}

// note is a workspace.Change as it is kept.
type note struct {
	ID         int64     `bson:"id"`
	Unit       string    `bson:"unit"`
	Statement  string    `bson:"statement"`
	Operation  string    `bson:"operation"`
	ObjectType string    `bson:"object_type"`
	Object     string    `bson:"object"`
	Identity   string    `bson:"identity"`
	Reverse    string    `bson:"reverse"`
	WhyNot     string    `bson:"why_not"`
	References []string  `bson:"references"`
	Source     string    `bson:"source"`
	Warnings   []string  `bson:"warnings"`
	At         time.Time `bson:"at"`
	Reverts    int64     `bson:"reverts"`
}

// revert is a reverse that is to be run, or was: the difference that it makes
// is that of the revert.
type revert struct {
	Entry   int64  `bson:"entry"`
	Command string `bson:"command"`
}

func (n note) change() workspace.Change {
	return workspace.Change{
		JournalID: n.ID, Unit: n.Unit, Statement: n.Statement, Operation: n.Operation, ObjectType: n.ObjectType,
		Object: n.Object, Identity: n.Identity, Reversible: n.Reverse != "", Reverse: n.Reverse, WhyNot: n.WhyNot,
		References: n.References, Source: n.Source, Warnings: n.Warnings, At: n.At, Reverts: n.Reverts,
	}
}

// errNotTracked is a database whose schema changes nobody asked us to follow.
var errNotTracked = errors.New("schema changes are not tracked")

// errNoJournal is a database that was not made here, or is being dropped.
var errNoJournal = fmt.Errorf("no journal: %w", errNotTracked)

// journal is the database's; what it says was written is on disk, on the
// majority of a replica set.
func (e *Engine) journal(database string) *mongo.Collection {
	journaled := true
	return e.client.Database(journalDatabase).Collection(journalPrefix+database, options.Collection().
		SetReadConcern(readconcern.Majority()).
		SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journaled}))
}

// begin makes the first state of a database's journal. Its number is the time,
// so that what a late writer leaves of an earlier database of that name is
// older. A database that has a journal and collections keeps them.
func (e *Engine) begin(ctx context.Context, database string, tracked bool) error {
	schema, err := e.schema(ctx, database)
	if err != nil {
		return err
	}
	old, found, err := e.load(ctx, database)
	if err != nil {
		return err
	}
	if found && len(schema) > 0 {
		return nil
	}
	first := state{Number: max(time.Now().UnixNano(), old.Number+1), Tracked: tracked}
	if err := first.setSchema(schema); err != nil {
		return err
	}
	_, err = e.store(ctx, database, first)
	return err
}

// load reads the state that is true.
func (e *Engine) load(ctx context.Context, database string) (state, bool, error) {
	var s state
	err := e.journal(database).FindOne(ctx, bson.D{}, options.FindOne().SetSort(bson.D{{Key: "_id", Value: -1}})).Decode(&s)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return state{}, false, nil
	}
	if err != nil {
		return state{}, false, e.failed("read journal", err)
	}
	return s, true, nil
}

// store inserts a state; false where another node has that number.
func (e *Engine) store(ctx context.Context, database string, s state) (bool, error) {
	_, err := e.journal(database).InsertOne(ctx, s)
	if mongo.IsDuplicateKeyError(err) {
		return false, nil
	}
	if err != nil {
		return false, e.failed("write journal", err)
	}
	// Older states are in nobody's way; the next writer deletes what stays.
	_, _ = e.journal(database).DeleteMany(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$lt", Value: s.Number}}}})
	return true, nil
}

// advance is lead for a database whose schema changes are followed.
func (e *Engine) advance(ctx context.Context, database string, next func(*state) (bool, error)) (state, error) {
	return e.lead(ctx, database, func(s *state) (bool, error) {
		if !s.Tracked {
			return false, errNotTracked
		}
		return next(s)
	})
}

// lead leads the journal to its next state and gives the one that is true then.
// next changes a copy of the present state and says whether it did; it is called
// again when another node was first.
func (e *Engine) lead(ctx context.Context, database string, next func(*state) (bool, error)) (state, error) {
	for range maxRivals {
		s, found, err := e.load(ctx, database)
		if err != nil {
			return state{}, err
		}
		if !found {
			return state{}, errNoJournal
		}
		changed, err := next(&s)
		if err != nil || !changed {
			return s, err
		}
		s.Number++
		write := rand.Text()
		s.Writes = last(append(s.Writes, write), keptWrites)
		won, err := e.store(ctx, database, s)
		if err != nil {
			return state{}, err
		}
		if won {
			now, _, err := e.load(ctx, database)
			if err != nil || slices.Contains(now.Writes, write) {
				return now, err
			}
		}
		if err := pause(ctx); err != nil {
			return state{}, fmt.Errorf("write journal: %w", err)
		}
	}
	return state{}, workspace.Errorf(workspace.Unavailable, "the schema of %s changes faster than it can be recorded", database)
}

// pause lets rivals go their way; each waits for a time of its own.
func pause(ctx context.Context) error {
	n, err := rand.Int(rand.Reader, big.NewInt(int64(rivalryWait)))
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(n.Int64())):
		return nil
	}
}

// last are the last n of a list.
func last[T any](list []T, n int) []T { return list[max(0, len(list)-n):] }

func (s *state) setSchema(schema []ddltrack.MongoCollection) error {
	data, err := bson.Marshal(snapshot{schema})
	if err != nil {
		return fmt.Errorf("encode schema: %w", err)
	}
	s.Schema = data
	return nil
}

func (s *state) schema() ([]ddltrack.MongoCollection, error) {
	var kept snapshot
	if err := bson.Unmarshal(s.Schema, &kept); err != nil {
		return nil, fmt.Errorf("decode schema: %w", err)
	}
	return kept.Collections, nil
}
