package devstack_test

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
)

func TestStartAfterTheParentWasKilled(t *testing.T) {
	dir := devstacktest.Dir(t)
	for range 3 {
		parent := exec.Command(os.Args[0])
		parent.Env = append(os.Environ(), parentOf+"="+dir)
		out, err := parent.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := parent.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || line != "ready\n" {
			t.Fatalf("parent said %q: %v", line, err)
		}
		orphan := postmaster(t, dir)
		if err := parent.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := parent.Wait(); err == nil {
			t.Fatal("parent was not killed")
		}
		p := start(t, devstack.PostgresConfig{Dir: dir})
		if postmaster(t, dir) == orphan {
			t.Error("the orphan is still the server")
		}
		value(t, connect(t, p), "SELECT 'works'")
		stop(t, p)
	}
}

func TestServerDiesWithItsParent(t *testing.T) {
	dir := devstacktest.Dir(t)
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), parentOf+"="+dir)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("parent said %q: %v", line, err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := parent.Wait(); err == nil {
		t.Fatal("parent was not killed")
	}
	await(t, "clean end of the orphan", func() bool {
		_, err := os.Stat(filepath.Join(dir, "data", "postmaster.pid"))
		return errors.Is(err, os.ErrNotExist)
	})
}

func TestCrashedServerIsStartedAgain(t *testing.T) {
	dir := devstacktest.Dir(t)
	var log strings.Builder
	p := start(t, devstack.PostgresConfig{Dir: dir, Log: slog.New(slog.NewTextHandler(&log, nil))})
	conn := connect(t, p)
	if _, err := conn.Exec(t.Context(), "CREATE TABLE kept (id int)"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(postmaster(t, dir), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var again *pgx.Conn
	await(t, "server back", func() bool {
		var err error
		again, err = dial(t.Context(), p, p.Password())
		return err == nil
	})
	value(t, again, "SELECT count(*)::text FROM kept")
	again.Close(t.Context())
	stop(t, p)
	if !strings.Contains(log.String(), "started again") {
		t.Errorf("the crash is not in the log: %q", log.String())
	}
}

func TestLockFilesOfAReusedProcessNumberDoNotStopTheStart(t *testing.T) {
	dir := devstacktest.Dir(t)
	p := start(t, devstack.PostgresConfig{Dir: dir})
	lock, err := os.ReadFile(p.Socket() + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	stop(t, p)
	// Somebody else's live process, of the server's own account: PostgreSQL
	// alone would take it for a running server.
	other := exec.Command("sleep", "600")
	info, err := os.Stat(filepath.Join(dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if os.Geteuid() == 0 {
		other.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}}
	}
	other.Dir = "/"
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer other.Wait()
	defer other.Process.Kill()
	_, rest, _ := strings.Cut(string(lock), "\n")
	stale := fmt.Sprintf("%d\n%s", other.Process.Pid, rest)
	for _, path := range []string{filepath.Join(dir, "data", "postmaster.pid"), p.Socket() + ".lock"} {
		if err := os.WriteFile(path, []byte(stale), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	p = start(t, devstack.PostgresConfig{Dir: dir})
	defer stop(t, p)
	value(t, connect(t, p), "SELECT 'works'")
	if err := other.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("somebody else's process was harmed: %v", err)
	}
}
