package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// connectPlain is an admin's connection that keeps the server's own settings. It
// is only for the maintenance database, where no workspace can have set any.
func (e *Engine) connectPlain(ctx context.Context, database string) (*pgx.Conn, error) {
	return e.connect(ctx, database, e.config.User, e.config.Password, map[string]string{"application_name": "tenantsdb"})
}

// serverSettings are the settings that a session on a new database of this
// server has, by names in lower case. Those that an owner gave to the workspace
// database are not among them: a database that a change is replayed on does not
// have them.
func (e *Engine) serverSettings(ctx context.Context) (map[string]string, error) {
	conn, release, err := e.plain.take(ctx, e.config.Database)
	if err != nil {
		return nil, err
	}
	defer release()
	rows, err := conn.Query(ctx, "SELECT name, coalesce(reset_val, '') FROM pg_catalog.pg_settings")
	if err != nil {
		return nil, fmt.Errorf("read server settings: %w", err)
	}
	settings := map[string]string{}
	var name, value string
	_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
		settings[strings.ToLower(name)] = value
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read server settings: %w", err)
	}
	return settings, nil
}
