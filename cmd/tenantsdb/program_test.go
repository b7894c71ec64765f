package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
	mongodbengine "github.com/tenantsdb/tenantsdb/internal/engine/mongodb"
)

// asProgram makes this test binary the program itself.
const asProgram = "TENANTSDB_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	// The program starts itself for the scripts of MongoDB queries.
	if len(os.Args) > 1 && os.Args[1] == mongodbengine.ShellCommand {
		main()
	}
	if _, ok := os.LookupEnv(asProgram); ok {
		if err := os.Unsetenv(asProgram); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		main()
	}
	os.Exit(m.Run())
}

// patience bounds every wait of these tests.
const patience = 2 * time.Minute

// program is a running tenantsdb.
type program struct {
	cmd    *exec.Cmd
	stdout output
	stderr output
	ended  chan struct{}
}

// output is what a program wrote so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// launch runs the program; what is left of it ends with the test.
func launch(t *testing.T, environ []string, args ...string) *program {
	t.Helper()
	p := &program{cmd: exec.Command(os.Args[0], args...), ended: make(chan struct{})}
	p.cmd.Env = append(append(os.Environ(), asProgram+"="), environ...)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		// How it ended is in ProcessState, for those who ask.
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGTERM)
		if p.exitCode(t); t.Failed() {
			t.Logf("program said:\n%s%s", p.stdout.String(), p.stderr.String())
		}
	})
	return p
}

// signal is of no effect on a program that has ended.
func (p *program) signal(sig os.Signal) { _ = p.cmd.Process.Signal(sig) }

func (p *program) exitCode(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.signal(syscall.SIGKILL)
		t.Fatalf("program did not end; it said:\n%s%s", p.stdout.String(), p.stderr.String())
	}
	return p.cmd.ProcessState.ExitCode()
}

// await waits for a condition that the program brings about.
func (p *program) await(t *testing.T, what string, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	late := time.After(patience)
	for !done() {
		select {
		case <-ticker.C:
		case <-p.ended:
			t.Fatalf("%s: program ended; it said:\n%s%s", what, p.stdout.String(), p.stderr.String())
		case <-late:
			t.Fatalf("%s: waited in vain; program said:\n%s%s", what, p.stdout.String(), p.stderr.String())
		}
	}
}

// launchDev runs `tenantsdb dev` on dir and waits until it is ready.
func launchDev(t *testing.T, dir string, args ...string) (*program, readiness) {
	t.Helper()
	p := launch(t, nil, append([]string{"dev", "--data", dir}, args...)...)
	var r readiness
	p.await(t, "ready.json", func() bool {
		// The one of an earlier run is of no use.
		if !strings.Contains(p.stdout.String(), "TenantsDB is ready") {
			return false
		}
		found, err := readJSON(filepath.Join(dir, "ready.json"), &r)
		if err != nil {
			t.Fatal(err)
		}
		return found
	})
	return p, r
}

func TestCommandLinesThatSayNothingAreRefused(t *testing.T) {
	for _, args := range [][]string{
		{}, {"sing"}, {"dev", "--colour"}, {"dev", "extra"}, {"dev", "--port-base", "70000"}, {"dev", "--only", "oracle"}, {"serve", "--config"},
	} {
		p := launch(t, nil, args...)
		if code := p.exitCode(t); code != 2 || p.stderr.String() == "" || p.stdout.String() != "" {
			t.Errorf("%q: got exit code %d, stdout %q, stderr %q", args, code, p.stdout.String(), p.stderr.String())
		}
	}
}

func TestVersionAndHelpGoToStandardOutput(t *testing.T) {
	for arg, want := range map[string]string{"version": "tenantsdb " + version, "help": "usage:"} {
		p := launch(t, nil, arg)
		if code := p.exitCode(t); code != 0 || !strings.HasPrefix(p.stdout.String(), want) {
			t.Errorf("%s: got exit code %d and %q", arg, code, p.stdout.String())
		}
	}
}

func TestServeWithoutAConfigurationSaysWhatIsMissing(t *testing.T) {
	p := launch(t, []string{"TENANTSDB_LOG_LEVEL=loud"}, "serve")
	if code := p.exitCode(t); code != 1 {
		t.Errorf("got exit code %d, want 1", code)
	}
	for _, key := range []string{"data_dir", "servers", "log.level"} {
		if !strings.Contains(p.stderr.String(), key) {
			t.Errorf("got %q, want it to name %s", p.stderr.String(), key)
		}
	}
}

func TestDevFindsEverythingAgainAfterAStopAndAKill(t *testing.T) {
	dir := devstacktest.Dir(t)
	p, first := launchDev(t, dir)
	info, err := os.Stat(filepath.Join(dir, "ready.json"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("ready.json has mode %o, want 600", info.Mode().Perm())
	}
	for _, secret := range []string{first.APIKey, first.ProxyPassword} {
		if len(secret) < 16 || !strings.Contains(p.stdout.String(), secret) {
			t.Errorf("the banner does not show %q", secret)
		}
		if strings.Contains(p.stderr.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
	p.signal(syscall.SIGTERM)
	if code := p.exitCode(t); code != 0 {
		t.Errorf("SIGTERM: got exit code %d, want 0", code)
	}
	if _, err := os.Stat(filepath.Join(dir, "ready.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("ready.json tells of a program that is gone: %v", err)
	}
	for _, end := range []syscall.Signal{syscall.SIGKILL, syscall.SIGKILL, syscall.SIGTERM} {
		p, again := launchDev(t, dir)
		if fmt.Sprint(again) != fmt.Sprint(first) {
			t.Errorf("got %+v, want %+v", again, first)
		}
		p.signal(end)
		p.exitCode(t)
	}
}

func TestSecondDevOnTheSameFolderLeavesTheFirstAlone(t *testing.T) {
	dir := devstacktest.Dir(t)
	_, first := launchDev(t, dir)
	second := launch(t, nil, "dev", "--data", dir)
	if code := second.exitCode(t); code != 1 || !strings.Contains(second.stderr.String(), "in use") {
		t.Errorf("got exit code %d and %q", code, second.stderr.String())
	}
	var r readiness
	if found, err := readJSON(filepath.Join(dir, "ready.json"), &r); err != nil || !found {
		t.Errorf("ready.json of the first: found %t, error %v", found, err)
	}
	if status := get(t, first.AdminURL+"/ready"); status != 200 {
		t.Errorf("the first answers /ready with %d", status)
	}
}

func TestOnlyLeavesTheOtherServersOut(t *testing.T) {
	dir := devstacktest.Dir(t)
	p, r := launchDev(t, dir, "--only", "redis")
	if said := p.stdout.String(); strings.Contains(said, "/diff") || !strings.Contains(said, "redis-cli") {
		t.Errorf("the banner shows what is not there: %s", said)
	}
	if _, on := r.Listeners["redis"]; !on || len(r.Listeners) != 1 {
		t.Errorf("got listeners %v, want that of Redis only", r.Listeners)
	}
	if _, err := os.Stat(filepath.Join(dir, "postgresql")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder was made for a server that is left out: %v", err)
	}
}

func TestPortBaseMovesAllPorts(t *testing.T) {
	base := free(t)
	_, r := launchDev(t, devstacktest.Dir(t), "--port-base", fmt.Sprint(base))
	if got := r.Listeners["postgresql"].Port; got != base {
		t.Errorf("PostgreSQL is on %d, want %d", got, base)
	}
	if want := fmt.Sprintf("http://localhost:%d", base+4); r.AdminURL != want {
		t.Errorf("admin is at %s, want %s", r.AdminURL, want)
	}
	for _, host := range []string{"127.0.0.1", "::1"} {
		conn, err := net.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(base)))
		if err != nil {
			t.Errorf("a client whose localhost is %s: %v", host, err)
			continue
		}
		conn.Close()
	}
}
