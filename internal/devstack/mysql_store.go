package devstack

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/go-mysql-org/go-mysql/client"
)

const (
	// mysqlAdmin is the user that every server is made with.
	mysqlAdmin  = "root"
	mysqlSocket = "mysql.sock"
	// lowerCaseNames says how a server keeps and compares names of tables.
	lowerCaseNames = "lower-case-table-names"
	// mysqlBinlogKept is for how many seconds a schema change that nobody has
	// read yet waits in the binary log: a month of holidays.
	mysqlBinlogKept = 31 * 24 * 3600
)

// mysqlStore is a data folder and the programs that work on it.
type mysqlStore struct {
	folder
	programs mysqlPrograms
	settings map[string]string
	password string
}

func openMySQLStore(dir string, programs mysqlPrograms, settings map[string]string) (*mysqlStore, error) {
	f, err := openFolder(dir, "mysql")
	return &mysqlStore{folder: f, programs: programs, settings: settings}, err
}

// temporary is the folder of temporary tables, which a server that starts takes
// for left behind, whosever they are.
func (s *mysqlStore) temporary() string { return s.path("tmp") }

func (s *mysqlStore) pidFile() string { return filepath.Join(s.data(), "mysql.pid") }

// loginFile holds the statements that a starting server runs before it takes
// its first connection.
func (s *mysqlStore) loginFile() string { return s.path("login.sql") }

// initialize makes the data folder where it is not there, and the
// administrator's password. A crash half-way leaves no data folder but a part
// of one, which the next start makes anew.
func (s *mysqlStore) initialize(ctx context.Context) error {
	if err := s.makeLogin(); err != nil {
		return err
	}
	switch _, err := os.Stat(s.data()); {
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	part := s.path("data.part")
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	for _, folder := range []string{part, s.temporary()} {
		if err := s.account.folder(folder); err != nil {
			return err
		}
	}
	cmd := s.account.command(part, s.programs.server, "--no-defaults", "--initialize-insecure", "--datadir="+part)
	if names, ok := s.settings[lowerCaseNames]; ok { // MySQL can't change it afterwards
		cmd.Args = append(cmd.Args, "--"+lowerCaseNames+"="+names)
	}
	if s.programs.install != "" {
		cmd = s.account.command(part, s.programs.install, "--no-defaults", "--datadir="+part,
			"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")
	}
	cmd.Env = append(cmd.Env, "TMPDIR="+s.temporary())
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := runUntil(ctx, cmd); err != nil {
		return fmt.Errorf("%s: %w; it said:\n%s", filepath.Base(cmd.Path), err, said.String())
	}
	return os.Rename(part, s.data())
}

// makeLogin keeps the administrator's password where only we can read it, and
// the statement that gives it to the server where only its account (and root)
// can. The server is made without a password, and nobody can connect to it
// before it has run that statement. The binary log never has it.
func (s *mysqlStore) makeLogin() error {
	file := s.path("admin.password")
	if s.password = firstLine(file); s.password == "" {
		s.password = rand.Text()
		if err := writePrivate(file, s.password+"\n"); err != nil {
			return err
		}
	}
	statements := "SET SESSION sql_log_bin = 0;\nALTER USER '" + mysqlAdmin + "'@'localhost' IDENTIFIED BY '" + s.password + "';\n"
	return errors.Join(writePrivate(s.loginFile(), statements), s.account.own(s.loginFile()))
}

// command starts the server. A setting that only one of the two servers has is
// given as "loose".
func (s *mysqlStore) command(output *os.File) *exec.Cmd {
	settings := map[string]string{
		"datadir":         s.data(),
		"tmpdir":          s.temporary(),
		"socket":          s.socket(mysqlSocket),
		"pid-file":        s.pidFile(),
		"init-file":       s.loginFile(),
		"skip-networking": "ON",
		"loose-mysqlx":    "OFF",
		"server-id":       "1",

		// What tracking reads schema changes from, as durable as they are.
		"log-bin":                          "binlog",
		"loose-binlog-format":              "ROW",
		"loose-binlog-row-image":           "MINIMAL",
		"loose-binlog-annotate-row-events": "OFF",
		"sync-binlog":                      "1",
		"innodb-flush-log-at-trx-commit":   "1",
		"binlog-expire-logs-seconds":       strconv.Itoa(mysqlBinlogKept),
		"max-binlog-size":                  "128M",
		// Without it only an administrator could make functions and triggers.
		"loose-log-bin-trust-function-creators": "ON",

		"character-set-server": "utf8mb4",
		"event-scheduler":      "ON",
		"local-infile":         "ON",
		"max-allowed-packet":   "1G",
		"max-connections":      "600",
		// Nobody can read or write the server's own files through a statement.
		"secure-file-priv": s.path("files"),
		// Nor make them elsewhere, by DATA DIRECTORY.
		"symbolic-links": "OFF",
	}
	maps.Copy(settings, s.settings)
	args := []string{"--no-defaults"}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "--"+name+"="+settings[name])
	}
	cmd := s.account.command(s.data(), s.programs.server, args...)
	cmd.Stdout, cmd.Stderr = output, output
	return cmd
}

// clearLeftovers waits until a server that outlived its parent is gone, and
// removes what one that was killed left of its socket.
func (s *mysqlStore) clearLeftovers(ctx context.Context) error {
	if err := errors.Join(s.endOld(ctx, s.pidFile()), s.makeSockets()); err != nil {
		return err
	}
	for _, folder := range []string{s.path("files"), s.temporary()} {
		if err := s.account.folder(folder); err != nil {
			return err
		}
	}
	for _, left := range []string{s.socket(mysqlSocket), s.socket(mysqlSocket) + ".lock"} {
		if err := os.Remove(left); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// answers asks the server once whether it takes statements.
func (s *mysqlStore) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	conn, err := client.ConnectWithContext(ctx, s.socket(mysqlSocket), mysqlAdmin, s.password, "", answerWait)
	if err != nil {
		return err
	}
	return conn.Quit()
}
