package postgres

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/xdg-go/scram"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// scramIterations is PostgreSQL's own default.
const scramIterations = 4096

// roleAttributes are all that a workspace's role has on the server.
const roleAttributes = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT CONNECTION LIMIT -1 VALID UNTIL 'infinity'"

// setRole makes the role, or puts back its attributes and its password.
func (e *Engine) setRole(ctx context.Context, t workspace.Target) error {
	if t.Role == e.config.User {
		return fmt.Errorf("make role %s: it is the admin's", t.Role)
	}
	verifier, err := scramVerifier(t.Role, t.Password)
	if err != nil {
		return fmt.Errorf("make role %s: %w", t.Role, err)
	}
	conn, release, err := e.admin(ctx, e.config.Database)
	if err != nil {
		return err
	}
	defer release()
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", t.Role).Scan(&exists); err != nil {
		return fmt.Errorf("find role %s: %w", t.Role, err)
	}
	verb := "CREATE"
	if exists {
		verb = "ALTER"
	}
	// The verifier is base64 and '$': nothing in it ends the literal.
	_, err = conn.Exec(ctx, verb+" ROLE "+quote(t.Role)+" "+roleAttributes+" PASSWORD '"+verifier+"'")
	if err != nil {
		return fmt.Errorf("make role %s: %w", t.Role, err)
	}
	return nil
}

// scramVerifier is password as the server stores it (RFC 5803), so that the
// server and its log never see the password itself.
func scramVerifier(role, password string) (string, error) {
	client, err := scram.SHA256.NewClient(role, password, "")
	if err != nil {
		return "", fmt.Errorf("prepare password: %w", err)
	}
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("make salt: %w", err)
	}
	stored, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: string(salt), Iters: scramIterations})
	if err != nil {
		return "", fmt.Errorf("derive verifier: %w", err)
	}
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", scramIterations, b64(salt), b64(stored.StoredKey), b64(stored.ServerKey)), nil
}

// quote is name as an SQL identifier.
func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// literal is s as an SQL string, whatever standard_conforming_strings is.
func literal(s string) string {
	quoted := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if !strings.Contains(s, `\`) {
		return quoted
	}
	return "E" + strings.ReplaceAll(quoted, `\`, `\\`)
}
