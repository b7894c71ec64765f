package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
)

// TestTheBannersLinesWorkAsTheyStand runs them in a shell, from a folder whose
// name means something to shells.
func TestTheBannersLinesWorkAsTheyStand(t *testing.T) {
	dir := filepath.Join(devstacktest.Dir(t), `Ann's "$HOME" \ data`)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p, _ := launchDev(t, dir, "--only", "redis")
	for _, example := range []struct{ line, answer string }{{"curl -s .*", `"success":true`}, {"redis-cli .*", "PONG"}} {
		line := regexp.MustCompile(example.line).FindString(p.stdout.String())
		shell := exec.Command("sh", "-c", line)
		shell.Stdin = strings.NewReader("PING\n")
		said, err := shell.CombinedOutput()
		if err != nil || !strings.Contains(string(said), example.answer) {
			t.Errorf("%s: got %s (%v), want %s", line, said, err, example.answer)
		}
	}
}
