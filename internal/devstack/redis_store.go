package devstack

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// redisAdmin is the user that every server has.
	redisAdmin = "default"
	// redisDatabases is how many logical databases there are: one for each
	// workspace, and number 0. An empty one costs about a kilobyte.
	redisDatabases = 4096
	redisSocket    = "redis.sock"
	// answerWait bounds one question whether the server is ready.
	answerWait = 5 * time.Second
)

// redisStore is a Redis data folder and the program that works on it.
type redisStore struct {
	folder
	program  string
	settings map[string]string
	password string
}

func openRedisStore(dir, program string, settings map[string]string) (*redisStore, error) {
	f, err := openFolder(dir, "redis")
	return &redisStore{folder: f, program: program, settings: settings}, err
}

// initialize makes the folders and the administrator's password where they are
// not there, and the server's file of users. The users of workspaces are saved
// to that file by whoever makes them; the administrator's line is ours.
func (s *redisStore) initialize(context.Context) error {
	if err := s.account.folder(s.data()); err != nil {
		return err
	}
	file := s.path("admin.password")
	if s.password = firstLine(file); s.password == "" {
		if _, err := os.Stat(s.aclFile()); err == nil {
			return fmt.Errorf("%s is missing or empty, and the server's users are there already", file)
		}
		s.password = rand.Text()
		if err := writePrivate(file, s.password+"\n"); err != nil {
			return err
		}
	}
	if _, err := os.Stat(s.aclFile()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	hash := sha256.Sum256([]byte(s.password))
	line := "user " + redisAdmin + " on #" + hex.EncodeToString(hash[:]) + " ~* &* +@all\n"
	part := s.aclFile() + ".part"
	if err := writePrivate(part, line); err != nil {
		return err
	}
	return errors.Join(s.account.own(part), os.Rename(part, s.aclFile()))
}

func (s *redisStore) pidFile() string { return filepath.Join(s.data(), "redis.pid") }

// aclFile is the server's own: it replaces it when users are saved.
func (s *redisStore) aclFile() string { return filepath.Join(s.data(), "users.acl") }

// command starts the server. Secrets are in its file of users, not among the
// arguments, which every process of the machine may read.
func (s *redisStore) command(output *os.File) *exec.Cmd {
	settings := map[string]string{
		"port":             "0",
		"unixsocket":       s.socket(redisSocket),
		"unixsocketperm":   "700",
		"dir":              s.data(),
		"aclfile":          s.aclFile(),
		"pidfile":          s.pidFile(),
		"daemonize":        "no",
		"supervised":       "no",
		"databases":        strconv.Itoa(redisDatabases),
		"always-show-logo": "no",
		// A key that was acknowledged survives the death of the server, and all
		// but the last second that of the machine: a developer's data, at the
		// speed that applications are written for. Snapshots would add nothing.
		"appendonly":            "yes",
		"appendfsync":           "everysec",
		"save":                  "",
		"maxmemory-policy":      "noeviction", // a key is never lost without a word
		"sanitize-dump-payload": "clients",
	}
	maps.Copy(settings, s.settings)
	args := []string{}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "--"+name, settings[name])
	}
	cmd := s.account.command(s.data(), s.program, args...)
	cmd.Stdout, cmd.Stderr = output, output
	return cmd
}

// clearLeftovers leaves a socket that is there: the server replaces it.
func (s *redisStore) clearLeftovers(ctx context.Context) error {
	return errors.Join(s.endOld(ctx, s.pidFile()), s.makeSockets())
}

// answers asks the server once whether it takes commands: it has loaded its
// data, and knows the administrator.
func (s *redisStore) answers(ctx context.Context) error {
	return ask(ctx, s.socket(redisSocket), s.ping)
}

func (s *redisStore) ping(conn net.Conn) error {
	if _, err := fmt.Fprintf(conn, "AUTH %s %s\r\nPING\r\n", redisAdmin, s.password); err != nil {
		return err
	}
	replies := bufio.NewReader(conn)
	for _, want := range []string{"+OK", "+PONG"} {
		line, err := replies.ReadString('\n')
		if err != nil {
			return err
		}
		if got := strings.TrimSpace(line); got != want {
			return fmt.Errorf("got %q, want %q", got, want)
		}
	}
	return nil
}
