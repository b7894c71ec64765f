package mysql

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/schema"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Definitions are statements that rebuild the schema in the session's database,
// runnable in order: sequences, tables, functions and procedures, views by what
// they select from, triggers, events. A foreign key on a table that comes later
// is added when that one is there. The workspace's own role is not named as a
// DEFINER, since whoever runs the statement becomes that, and the database is not
// named, since they are to be run in any. The database's collation
// comes first, where it is not that of a new one. A program or view that was made
// under other settings than a new session's stands between two SET statements, and
// a program that was made when the database had another collation between two
// ALTER DATABASE.
func (e *Engine) Definitions(ctx context.Context, t workspace.Target) ([]string, error) {
	// With the database as the session's, the server leaves its name out of
	// the definitions of views.
	c, err := e.connect(ctx, e.config.User, e.config.Password, t.Database)
	if err != nil {
		return nil, e.unreachable(err)
	}
	defer c.close()
	if err := c.exec(ctx, trustedSettings); err != nil {
		return nil, fmt.Errorf("read definitions of %s: %w", t.Database, err)
	}
	steps, err := e.steps(ctx, c, t.Database, func(s ddltrack.MySQLStatement) ddltrack.MySQLStatement {
		return ddltrack.WithoutDefinerMySQL(s, t.Role)
	})
	if err != nil {
		return nil, fmt.Errorf("read definitions of %s: %w", t.Database, err)
	}
	statements := make([]string, 0, len(steps))
	for _, step := range steps {
		for _, text := range []string{step.Before, step.Statement, step.After} {
			if text != "" {
				statements = append(statements, text)
			}
		}
	}
	return statements, nil
}

// steps are the definitions in an order in which they can be run in any database.
// undefined takes from views and programs the definers who are not there.
func (e *Engine) steps(ctx context.Context, c *conn, database string, undefined func(ddltrack.MySQLStatement) ddltrack.MySQLStatement) ([]schema.Step, error) {
	collations, err := c.row(ctx, "SELECT @@collation_database, COLLATION(_utf8mb4'')")
	if err != nil {
		return nil, err
	}
	list, err := readDefinitions(ctx, c, database)
	if err != nil {
		return nil, err
	}
	f := e.known()
	var (
		steps  []schema.Step
		tables []definition
		views  []definition
	)
	own, fresh := string(collations[0]), string(collations[1])
	if own != fresh {
		steps = append(steps, collate(own))
	}
	for _, d := range list {
		switch d.kind {
		case "table", "view":
			// MariaDB writes the database of a default's or a column's sequence.
			d.text = strings.ReplaceAll(d.text, "nextval("+quote(database)+".", "nextval(")
		}
		if d.kind != "table" && d.kind != "sequence" {
			// Programs are in their client's words, and MariaDB writes the
			// database of the functions that a view calls.
			d.text = undefined(ddltrack.WithinMySQL(oneStatement(d.text, f.mode(d.mode)), database, f.foldNames)).Text
		}
		switch d.kind {
		case "table":
			tables = append(tables, d)
			continue
		case "view":
			views = append(views, d)
			continue
		case "trigger", "event":
			steps, views = append(steps, f.inOrder(views)...), nil
		}
		if d.kind != "sequence" && len(tables) > 0 {
			steps, tables = append(steps, buildTables(tables)...), nil
		}
		if d.database == "" || d.database == own {
			steps = append(steps, f.inSession(d))
			continue
		}
		steps = append(steps, collate(d.database), f.inSession(d), collate(own))
	}
	steps = append(steps, buildTables(tables)...)
	return append(steps, f.inOrder(views)...), nil
}

// collate gives the session's database a collation, and with it its character
// set.
func collate(collation string) schema.Step {
	return schema.Step{Statement: "ALTER DATABASE COLLATE " + collation}
}

// inSession is a definition with the settings that it was made under, where they
// are not known to be those of a new session.
func (f *facts) inSession(d definition) schema.Step {
	var set, reset []string
	change := func(name, value string) {
		own, known := f.defaults[name]
		switch {
		case value == own:
			return
		case known:
			reset = append(reset, name+" = "+literal(own))
		case name == collationConnection:
			reset = append(reset, "NAMES utf8mb4")
		default:
			reset = append(reset, name+" = DEFAULT")
		}
		set = append(set, name+" = "+literal(value))
	}
	switch d.kind {
	case "procedure", "function", "trigger", "package", "package body", "event":
		change(sqlMode, d.mode)
	}
	if d.zone != "" {
		change(timeZone, d.zone)
	}
	if d.collation != "" {
		change(collationConnection, d.collation)
	}
	step := schema.Step{Statement: d.text, Object: d.name}
	if m := triggerTable.FindStringSubmatch(d.text); m != nil && d.kind == "trigger" {
		step.Table = strings.ReplaceAll(m[1]+m[2]+m[3], "``", "`")
	}
	if len(set) > 0 {
		step.Before, step.After = "SET "+strings.Join(set, ", "), "SET "+strings.Join(reset, ", ")
	}
	return step
}

// triggerTable finds the table of a trigger's definition.
var triggerTable = regexp.MustCompile("(?is)\\sON\\s+(?:(?:`(?:[^`]|``)*`|[\\w$]+)\\s*\\.\\s*)?(?:`((?:[^`]|``)*)`|\"((?:[^\"]|\"\")*)\"|([\\w$]+))\\s+FOR\\s+EACH\\s+ROW\\b")

// readDefinitions skips what is dropped meanwhile.
func readDefinitions(ctx context.Context, c *conn, database string) ([]definition, error) {
	list, err := listObjects(ctx, c, database)
	if err != nil {
		return nil, err
	}
	var all []definition
	for _, o := range list {
		d, err := showCreate(ctx, c, database, o)
		if errors.Is(err, errGone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// foreignKey finds the lines of a table's definition that are foreign keys, and
// the table that they need. The server writes each on a line of its own.
var foreignKey = regexp.MustCompile("(?m)^  (CONSTRAINT (?:`(?:[^`]|``)*` )?FOREIGN KEY (?:`(?:[^`]|``)*` )?\\((?:[^`()]|`(?:[^`]|``)*`)*\\) REFERENCES `((?:[^`]|``)*)` .*?),?$")

// buildTables orders tables by what they need, and adds the foreign keys of
// circles by ALTER TABLE.
func buildTables(tables []definition) []schema.Step {
	needs := map[string][]string{}
	for _, d := range tables {
		for _, key := range foreignKey.FindAllStringSubmatch(d.text, -1) {
			needs[d.name] = append(needs[d.name], strings.ReplaceAll(key[2], "``", "`"))
		}
	}
	tables = sorted(tables, needs)
	made := map[string]bool{}
	var steps, later []schema.Step
	for _, d := range tables {
		made[d.name] = true
		text, keys := cutForeignKeys(d.text, func(target string) bool { return !made[target] })
		steps = append(steps, schema.Step{Statement: text, Object: d.name, Table: d.name, Makes: true})
		for _, key := range keys {
			later = append(later, schema.Step{Statement: "ALTER TABLE " + quote(d.name) + " ADD " + key, Object: "foreign key of " + d.name, Table: d.name})
		}
	}
	return append(steps, later...)
}

// cutForeignKeys takes the keys out of a definition whose tables are to come
// later.
func cutForeignKeys(text string, later func(table string) bool) (string, []string) {
	var kept, keys []string
	for _, line := range strings.Split(text, "\n") {
		key := foreignKey.FindStringSubmatch(line)
		if key == nil || !later(strings.ReplaceAll(key[2], "``", "`")) {
			kept = append(kept, line)
			continue
		}
		keys = append(keys, key[1])
		if !strings.HasSuffix(line, ",") {
			kept[len(kept)-1] = strings.TrimSuffix(kept[len(kept)-1], ",")
		}
	}
	return strings.Join(kept, "\n"), keys
}

// inOrder are the statements of views, each after those that it selects from.
func (f *facts) inOrder(views []definition) []schema.Step {
	needs := map[string][]string{}
	for _, v := range views {
		for _, other := range views {
			if other.name != v.name && selectsFrom(v.text, other.name) {
				needs[v.name] = append(needs[v.name], other.name)
			}
		}
	}
	var steps []schema.Step
	for _, v := range sorted(views, needs) {
		steps = append(steps, f.inSession(v))
	}
	return steps
}

// selectsFrom says whether a view's definition names a table: the server writes
// columns behind the name of their table, and aliases behind AS.
func selectsFrom(text, name string) bool {
	quoted := quote(name)
	for at := 0; ; {
		i := strings.Index(text[at:], quoted)
		if i < 0 {
			return false
		}
		at += i
		before := text[:at]
		if !strings.HasSuffix(before, ".") && !strings.HasSuffix(before, " AS ") && !strings.HasSuffix(before, " VIEW ") {
			return true
		}
		at += len(quoted)
	}
}

// sorted puts each definition behind those that it needs; where they need each
// other the order stays.
func sorted(list []definition, needs map[string][]string) []definition {
	at := map[string]int{}
	for i, d := range list {
		at[d.name] = i
	}
	var (
		done    []definition
		visited = make([]bool, len(list))
		visit   func(i int)
	)
	visit = func(i int) {
		if visited[i] {
			return
		}
		visited[i] = true
		for _, name := range slices.Sorted(slices.Values(needs[list[i].name])) {
			if j, ok := at[name]; ok {
				visit(j)
			}
		}
		done = append(done, list[i])
	}
	for i := range list {
		visit(i)
	}
	return done
}
