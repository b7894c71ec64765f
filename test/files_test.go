package test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestNoFileIsLeftToOpen: strangers who take all the files that the program may
// open must neither end it nor keep it busy for nothing, and what they leave is
// there for the next client.
func TestNoFileIsLeftToOpen(t *testing.T) {
	in := newInstallation(t, "postgresql")
	l := in.workspace(t, "files", "tenant").login(t)
	l.psql(t, "CREATE TABLE before (i int)")
	open := in.openFiles(t)
	in.mayOpen(t, open+10)

	at := in.Listeners["postgresql"]
	var strangers []net.Conn
	leave := func() {
		for _, conn := range strangers {
			conn.Close()
		}
	}
	defer leave()
	for range 60 {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(at.Port)))
		if err != nil {
			t.Fatal(err)
		}
		strangers = append(strangers, conn)
	}
	eventually(t, "no file is left", func() bool { return strings.Contains(in.log.String(), "too many open files") })

	leave()
	eventually(t, "a client gets in again", func() bool {
		return l.try(t, "", "psql", "-X", "-c", "CREATE TABLE IF NOT EXISTS after (i int)").err == nil
	})
}

// openFiles is how many files the program has open now.
func (in *installation) openFiles(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(in.cmd.Process.Pid), "fd"))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// mayOpen changes how many files the running program may have open.
func (in *installation) mayOpen(t testing.TB, most int) {
	t.Helper()
	out, err := exec.Command("prlimit", "--pid", strconv.Itoa(in.cmd.Process.Pid), fmt.Sprintf("--nofile=%d:", most)).CombinedOutput()
	if err != nil {
		t.Fatalf("prlimit: %v\n%s", err, bytes.TrimSpace(out))
	}
}
