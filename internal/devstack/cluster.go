package devstack

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// superuser is the role that initdb makes.
	superuser = "postgres"
	// socketPort names the socket of a server without TCP.
	socketPort = 5432
	// longestSocketDir keeps the socket's path within what every unix allows
	// (104 bytes with the final zero).
	longestSocketDir = 103 - len("/.s.PGSQL.65535.lock")
	// survivorWait is how long a server that outlived its parent may take to
	// write its checkpoint before it is told to quit.
	survivorWait = 30 * time.Second
)

// cluster is a PostgreSQL data folder and the programs that work on it.
type cluster struct {
	folder
	programs string
	host     string // address of TCP; empty: none
	port     int
	settings map[string]string
	password string // the superuser's
}

func findCluster(dir string, c PostgresConfig) (*cluster, error) {
	cl := &cluster{port: socketPort, settings: c.Settings}
	var err error
	if cl.programs, err = postgresPrograms(firstLine(filepath.Join(dir, "data", "PG_VERSION"))); err != nil {
		return nil, err
	}
	if c.TCP != "" {
		if cl.host, cl.port, err = splitAddress(c.TCP); err != nil {
			return nil, fmt.Errorf("postgresql address: %w", err)
		}
	}
	cl.folder, err = openFolder(dir, "postgres")
	return cl, err
}

func splitAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return host, int(n), err
}

// initialize makes the cluster, and the superuser's password, unless they are
// there. A crash half-way leaves no data folder but a part of one, which the
// next start makes anew.
func (c *cluster) initialize(ctx context.Context) error {
	file := c.path("superuser.password")
	switch _, err := os.Stat(c.data()); {
	case err == nil:
		if c.password = firstLine(file); c.password == "" {
			return fmt.Errorf("%s is missing or empty, and the cluster is there already", file)
		}
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	c.password = rand.Text()
	if err := errors.Join(writePrivate(file, c.password+"\n"), c.account.own(file)); err != nil {
		return err
	}
	part := c.path("data.part")
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	if err := c.account.folder(part); err != nil {
		return err
	}
	cmd := c.account.command(part, filepath.Join(c.programs, "initdb"),
		"--pgdata="+part, "--username="+superuser, "--pwfile="+file,
		"--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := runUntil(ctx, cmd); err != nil {
		return fmt.Errorf("initdb: %w; it said:\n%s", err, said.String())
	}
	return os.Rename(part, c.data())
}

// command starts the server. Its log tells of the server itself; statements and
// their values stay out of it, since they may hold secrets.
func (c *cluster) command(output *os.File) *exec.Cmd {
	settings := map[string]string{
		"listen_addresses":        c.host,
		"port":                    strconv.Itoa(c.port),
		"unix_socket_directories": c.sockets,
		"unix_socket_permissions": "0700",
		"max_connections":         "600",
		"password_encryption":     "scram-sha-256",
		"logging_collector":       "off",
		"log_destination":         "stderr",
		"log_min_messages":        "log",
		"log_min_error_statement": "panic",
		"log_error_verbosity":     "terse",
	}
	maps.Copy(settings, c.settings)
	args := []string{"-D", c.data()}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	cmd := c.account.command(c.data(), filepath.Join(c.programs, "postgres"), args...)
	cmd.Stdout, cmd.Stderr = output, output
	return cmd
}

// clearLeftovers waits until a server that outlived its parent is gone, and
// removes the lock files of one that is gone already when their process number
// is somebody else's by now: PostgreSQL itself would refuse to start.
func (c *cluster) clearLeftovers(ctx context.Context) error {
	data, err := filepath.EvalSymlinks(c.data())
	if err != nil {
		return err
	}
	pidFile := filepath.Join(data, "postmaster.pid")
	if pid, err := strconv.Atoi(firstLine(pidFile)); err == nil && pid > 0 && pid != os.Getpid() {
		if runsIn(pid, data) {
			err = endSurvivor(ctx, pid, data)
		} else if syscall.Kill(pid, 0) == nil {
			err = os.Remove(pidFile)
		}
		if err != nil {
			return err
		}
	}
	if err := c.makeSockets(); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(c.sockets, ".s.PGSQL.*"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// answers asks the server once whether it takes queries.
func (c *cluster) answers(ctx context.Context) error {
	to, err := pgconn.ParseConfig("sslmode=disable dbname=postgres connect_timeout=5")
	if err != nil {
		return err
	}
	to.Host, to.Port = c.sockets, uint16(c.port)
	to.User, to.Password = superuser, c.password
	to.Fallbacks, to.RuntimeParams = nil, nil
	conn, err := pgconn.ConnectConfig(ctx, to)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// endSurvivor stops a server that is not our child and waits for its end.
func endSurvivor(ctx context.Context, pid int, data string) error {
	began := time.Now()
	sig := syscall.SIGINT
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop old server %d: %w", pid, err)
	}
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for runsIn(pid, data) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for old server %d: %w", pid, ctx.Err())
		case <-ticker.C:
		}
		if sig == syscall.SIGINT && time.Since(began) > survivorWait {
			sig = syscall.SIGQUIT
			if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("stop old server %d: %w", pid, err)
			}
		}
	}
	return nil
}

// runUntil runs the command, and kills it when ctx ends.
func runUntil(ctx context.Context, cmd *exec.Cmd) error {
	runtime.LockOSThread() // see process.supervise
	defer runtime.UnlockOSThread()
	detach(cmd, syscall.SIGKILL)
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	return cmd.Wait()
}
