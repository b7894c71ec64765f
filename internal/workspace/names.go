package workspace

import (
	"strings"
	"time"
)

const (
	maxNameLength    = 40
	nameBytes        = "abcdefghijklmnopqrstuvwxyz0123456789_-"
	tenantBytes      = "abcdefghijklmnopqrstuvwxyz0123456789_"
	rolePasswordSize = 32 // random bytes
	maxNameTries     = 1000
)

// newWorkspace checks what a client asked for.
func newWorkspace(project, name, database, mode string) (Workspace, error) {
	w := Workspace{ProjectID: project, Name: name, Mode: Mode(mode), Settings: DefaultSettings()}
	if err := checkName(name); err != nil {
		return w, err
	}
	if database == "" {
		return w, badField("database", "database is required: one of %s", displayNames())
	}
	t, ok := ParseDatabaseType(database)
	if !ok {
		return w, badField("database", "unknown database %.40q: use one of %s", database, displayNames())
	}
	w.Type = t
	switch w.Mode {
	case Tenant, Control:
		return w, nil
	case "":
		return w, badField("mode", "mode is required: tenant or control")
	}
	return w, badField("mode", "unknown mode %.40q: use tenant or control", mode)
}

func checkName(name string) error {
	switch {
	case name == "":
		return badField("name", "name is required")
	case len(name) > maxNameLength:
		return badField("name", "name is longer than %d characters", maxNameLength)
	case strings.Contains(name, "__"):
		return badField("name", "name can't contain __ (reserved separator)")
	case name[0] < 'a' || name[0] > 'z' || strings.Trim(name, nameBytes) != "":
		return badField("name", "name %q must start with a letter a-z and hold only a-z, 0-9, _ and -", name)
	}
	return nil
}

// badField is a BadRequest that names the field for programs too.
func badField(field, format string, args ...any) *Error {
	e := Errorf(BadRequest, format, args...)
	e.Details = map[string]any{"field": field}
	return e
}

func databaseTypes() []DatabaseType {
	return []DatabaseType{PostgreSQL, MySQL, MongoDB, Redis}
}

func displayNames() string {
	var names []string
	for _, t := range databaseTypes() {
		names = append(names, t.DisplayName())
	}
	return strings.Join(names, ", ")
}

// secretRow names the row that a role's sealed password belongs to.
func secretRow(server, role string) string { return "role/" + server + "/" + role }

// time is now, as precise as every catalog keeps it.
func (s *Service) time() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

func byAge(a time.Time, aID string, b time.Time, bID string) int {
	if n := a.Compare(b); n != 0 {
		return n
	}
	return strings.Compare(aID, bID)
}
