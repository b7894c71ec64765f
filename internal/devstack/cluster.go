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
	dir      string
	programs string
	account  *account
	sockets  string // folder of the socket
	host     string // address of TCP; empty: none
	port     int
	settings map[string]string
}

func findCluster(c PostgresConfig) (*cluster, error) {
	cl := &cluster{dir: c.Dir, port: socketPort, settings: c.Settings}
	var err error
	if cl.programs, err = postgresPrograms(firstLine(filepath.Join(c.Dir, "data", "PG_VERSION"))); err != nil {
		return nil, err
	}
	if c.TCP != "" {
		if cl.host, cl.port, err = splitAddress(c.TCP); err != nil {
			return nil, fmt.Errorf("postgresql address: %w", err)
		}
	}
	if cl.account, err = accountFor("postgres"); err != nil {
		return nil, err
	}
	if err := cl.account.reach(c.Dir); err != nil {
		return nil, err
	}
	cl.sockets = socketFolder(c.Dir)
	return cl, nil
}

func splitAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return host, int(n), err
}

func (c *cluster) path(name string) string { return filepath.Join(c.dir, name) }

// makeFolder leaves the folder to us and lets the server's account through it:
// what root writes there must not be in a folder that others can change.
func makeFolder(dir string) error {
	mode := fs.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	return os.Chmod(dir, mode)
}

// initialize makes the cluster unless it is there, and gives the superuser's
// password. A crash half-way leaves no data folder but a part of one, which
// the next start makes anew.
func (c *cluster) initialize(ctx context.Context) (password string, err error) {
	file := c.path("superuser.password")
	switch _, err := os.Stat(c.path("data")); {
	case err == nil:
		password := firstLine(file)
		if password == "" {
			return "", fmt.Errorf("%s is missing or empty, and the cluster is there already", file)
		}
		return password, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	if password, err = c.makePassword(file); err != nil {
		return "", err
	}
	part := c.path("data.part")
	if err := os.RemoveAll(part); err != nil {
		return "", err
	}
	if err := c.account.folder(part); err != nil {
		return "", err
	}
	cmd := c.account.command(part, filepath.Join(c.programs, "initdb"),
		"--pgdata="+part, "--username="+superuser, "--pwfile="+file,
		"--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := runUntil(ctx, cmd); err != nil {
		return "", fmt.Errorf("initdb: %w; it said:\n%s", err, said.String())
	}
	return password, os.Rename(part, c.path("data"))
}

// makePassword keeps a new superuser password where only its account (and
// root) can read it.
func (c *cluster) makePassword(file string) (string, error) {
	password := rand.Text()
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(password + "\n")
	return password, errors.Join(err, f.Sync(), f.Close(), c.account.own(file))
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
	args := []string{"-D", c.path("data")}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	cmd := c.account.command(c.path("data"), filepath.Join(c.programs, "postgres"), args...)
	cmd.Stdout, cmd.Stderr = output, output
	return cmd
}

// clearLeftovers waits until a server that outlived its parent is gone, and
// removes the lock files of one that is gone already when their process number
// is somebody else's by now: PostgreSQL itself would refuse to start.
func (c *cluster) clearLeftovers(ctx context.Context) error {
	data, err := filepath.EvalSymlinks(c.path("data"))
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
	// The temporary folder may have been swept while the server was down.
	if err := c.account.folder(c.sockets); err != nil {
		return fmt.Errorf("socket folder: %w", err)
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
