package mysql

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// lockPatience is how long, in seconds, the server is asked for the lock at once.
const lockPatience = 10

// lock waits until the owner's session has the database to itself. It holds as
// long as that session is on the server, also behind the end of the process: until
// a statement that runs there has ended. Nobody who does not know the owner's
// password can take it before.
func (d *deployment) lock(ctx context.Context) error {
	name := sha256.Sum256([]byte(d.target.Database + "\x00" + d.target.OwnerPassword))
	sql := fmt.Sprintf("SELECT GET_LOCK('tenantsdb_%s', %d)", hex.EncodeToString(name[:16]), lockPatience)
	for {
		row, err := d.owner.row(ctx, sql)
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("lock database %s: %w", d.target.Database, statementError(err))
		}
		if err != nil {
			return fmt.Errorf("wait for another deployment to %s: %w", d.target.Database, err)
		}
		if string(row[0]) == "1" {
			return nil
		}
		d.engine.config.Log.InfoContext(ctx, "deployment waits for another one to the same database", "server", d.engine.config.Name, "database", d.target.Database)
	}
}

// deployNote is what is remembered of an entry that was begun.
type deployNote struct {
	entry int64
	done  bool
	from  position // where the log ended before it ran
}

// has says whether the database has the version whole.
func (d *deployment) has(ctx context.Context, version int64) (bool, error) {
	rows, err := d.notes.rows(ctx, "SELECT 1 FROM tenantsdb.deployed WHERE name = "+literal(d.target.Database)+" AND version = "+strconv.FormatInt(version, 10))
	if err != nil {
		return false, fmt.Errorf("find version %d of %s: %w", version, d.target.Database, err)
	}
	return len(rows) > 0, nil
}

// noted are the entries of a version that were begun.
func (d *deployment) noted(ctx context.Context, version int64) ([]deployNote, error) {
	rows, err := d.notes.rows(ctx, "SELECT entry, done, file, at FROM tenantsdb.deploying WHERE name = "+literal(d.target.Database)+
		" AND version = "+strconv.FormatInt(version, 10)+" ORDER BY entry")
	if err != nil {
		return nil, fmt.Errorf("find what %s has of version %d: %w", d.target.Database, version, err)
	}
	list := make([]deployNote, len(rows))
	for i, row := range rows {
		n := &list[i]
		n.done = string(row[1]) == "1"
		if n.entry, err = strconv.ParseInt(string(row[0]), 10, 64); err != nil {
			return nil, err
		}
		if n.from, err = positionOf(row[2], row[3]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// note says that an entry is about to run, and from where on the log is to be
// looked at. Where it is noted already another process has the database.
func (d *deployment) note(ctx context.Context, version, entry int64) (position, error) {
	status, err := binlogStatus(ctx, d.notes, d.engine.known())
	if err != nil {
		return position{}, err
	}
	columns := literal(d.target.Database) + ", " + strconv.FormatInt(entry, 10) + ", " + strconv.FormatInt(version, 10) + ", 0, " + status.end.values()
	if err := d.notes.exec(ctx, "INSERT INTO tenantsdb.deploying (name, entry, version, done, file, at) VALUES ("+columns+")"); err != nil {
		return position{}, fmt.Errorf("note DDL %d of %s: %w", entry, d.target.Database, err)
	}
	return status.end, nil
}

// confirm says that an entry took effect.
func (d *deployment) confirm(ctx context.Context, entry int64) error {
	return d.change(ctx, "UPDATE tenantsdb.deploying SET done = 1", entry)
}

// forget says that it did not.
func (d *deployment) forget(ctx context.Context, entry int64) error {
	return d.change(ctx, "DELETE FROM tenantsdb.deploying", entry)
}

func (d *deployment) change(ctx context.Context, sql string, entry int64) error {
	sql += " WHERE name = " + literal(d.target.Database) + " AND entry = " + strconv.FormatInt(entry, 10)
	if err := d.notes.exec(ctx, sql); err != nil {
		return fmt.Errorf("note DDL %d of %s: %w", entry, d.target.Database, err)
	}
	return nil
}

// finish says that the database has the version whole.
func (d *deployment) finish(ctx context.Context, version int64) error {
	name, number := literal(d.target.Database), strconv.FormatInt(version, 10)
	err := d.notes.exec(ctx, "START TRANSACTION; INSERT INTO tenantsdb.deployed (name, version) VALUES ("+name+", "+number+
		"); DELETE FROM tenantsdb.deploying WHERE name = "+name+" AND version = "+number+"; COMMIT")
	if err != nil {
		d.notes.close() // with the transaction
		return fmt.Errorf("note version %d of %s: %w", version, d.target.Database, err)
	}
	return nil
}

// undecided is for an entry whose end nobody knows any more.
func (d *deployment) undecided(n deployNote) error {
	return workspace.Errorf(workspace.Conflict, "whether DDL %d took effect in database %q can't be told, since the binary log of server %s does not reach back to %s: "+
		"look there, and then set done to 1 in its row of the table tenantsdb.deploying, or delete the row",
		n.entry, d.target.Database, d.engine.config.Name, n.from).Because(workspace.ErrPartly)
}
