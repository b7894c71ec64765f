package devstack

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// MissingError says which server program is not on this machine and which
// Debian package brings it; one of our own has no package, but is built beside
// ours.
type MissingError struct {
	Program string
	Package string
}

func (e *MissingError) Error() string {
	if e.Package == "" {
		return fmt.Sprintf("program %s is not beside this one: make build makes both", e.Program)
	}
	return fmt.Sprintf("program %s is not installed: on Debian, apt-get install %s", e.Program, e.Package)
}

// postgresPrograms is the folder that holds postgres and initdb: that of the
// PATH or the newest of Debian's. major is the version that a data folder was
// made by, empty for any.
func postgresPrograms(major string) (string, error) {
	var folders []string
	if path, err := exec.LookPath("initdb"); err == nil && major == "" {
		folders = append(folders, filepath.Dir(path))
	}
	debian, err := filepath.Glob("/usr/lib/postgresql/" + cmp.Or(major, "*") + "/bin")
	if err != nil {
		return "", err
	}
	slices.SortFunc(debian, func(a, b string) int { return version(b) - version(a) })
	folders = append(folders, debian...)
	if path, err := exec.LookPath("postgres"); err == nil {
		folders = append(folders, filepath.Dir(path))
	}
	for _, folder := range folders {
		if executable(filepath.Join(folder, "initdb")) && executable(filepath.Join(folder, "postgres")) {
			return folder, nil
		}
	}
	if major != "" {
		return "", &MissingError{"postgres " + major, "postgresql-" + major}
	}
	return "", &MissingError{"postgres", "postgresql"}
}

// redisProgram is redis-server of the PATH, or else valkey-server.
func redisProgram() (string, error) {
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", &MissingError{"redis-server", "redis-server"}
}

// version is that of a folder such as /usr/lib/postgresql/15/bin.
func version(folder string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
	if err != nil {
		return 0
	}
	return n
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
