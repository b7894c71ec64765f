package devstack

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// account is who a server runs as when we run as root. A nil account is
// whoever runs us.
type account struct {
	name       string
	credential syscall.Credential
}

// accountFor is the account that servers of one kind run as: nil where we are
// not root ourselves.
func accountFor(name string) (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("a server must not run as root, and there is no other account for it: %w", err)
	}
	uid, err := number(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := number(u.Gid)
	if err != nil {
		return nil, err
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of %s: %w", name, err)
	}
	var groups []uint32
	for _, id := range ids {
		g, err := number(id)
		if err != nil {
			return nil, err
		}
		groups = append(groups, g)
	}
	return &account{name, syscall.Credential{Uid: uid, Gid: gid, Groups: groups}}, nil
}

func number(id string) (uint32, error) {
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("account id: %w", err)
	}
	return uint32(n), nil
}

// command is one that runs as the account, in dir, with nothing of our own
// environment: it may hold secrets that the server has no need of.
func (a *account) command(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if a != nil {
		cmd.SysProcAttr.Credential = &a.credential
	}
	return cmd
}

// own gives the file or folder to the account.
func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return os.Lchown(path, int(a.credential.Uid), int(a.credential.Gid))
}

// uid is the account's user id.
func (a *account) uid() int {
	if a == nil {
		return os.Geteuid()
	}
	return int(a.credential.Uid)
}

// reach checks that the account can enter dir, an absolute path, and names the
// folder that stops it. It asks as the account, since modes alone don't tell.
func (a *account) reach(dir string) error {
	if a == nil {
		return nil
	}
	resolved, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	folders := []string{resolved}
	for parent := filepath.Dir(resolved); parent != folders[len(folders)-1]; parent = filepath.Dir(parent) {
		folders = append(folders, parent)
	}
	slices.Reverse(folders)
	script := `for d; do [ -x "$d" ] || { printf %s "$d"; exit 3; }; done`
	cmd := a.command("/", "/bin/sh", append([]string{"-c", script, "sh"}, folders...)...)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 3 {
		return fmt.Errorf("user %s can't enter %s, which the server's folder %s is in: allow it (chmod o+x) or choose another data folder",
			a.name, out, dir)
	}
	if err != nil {
		return fmt.Errorf("check that user %s reaches %s: %w", a.name, dir, err)
	}
	return nil
}

// folder makes a folder that only the account may enter, or checks that the one
// that is there is such a folder and not somebody else's trap.
func (a *account) folder(path string) error {
	err := os.Mkdir(path, 0o700)
	if err == nil {
		return a.own(path)
	}
	if !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder", path)
	// Ours, because a crash came before it was given away.
	case !ok || int(owner.Uid) != a.uid() && int(owner.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to somebody else", path)
	}
	return errors.Join(os.Chmod(path, 0o700), a.own(path))
}

// firstLine is the first line of a file, empty where it can't be read.
func firstLine(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return strings.TrimSpace(line)
}
