package devstack

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// mysqlPrograms are the server's program and, for MariaDB, the one that makes a
// data folder, which MySQL's server does itself.
type mysqlPrograms struct {
	server  string
	install string // empty for MySQL
}

// findMySQL is MariaDB or MySQL: the one that the PATH has first, and MariaDB
// where they are in one folder. A data folder that one of them made can't be
// opened by the other.
func findMySQL(data string) (mysqlPrograms, error) {
	_, err := os.Stat(data)
	made := err == nil
	_, err = os.Stat(filepath.Join(data, "mysql.ibd")) // MySQL's own dictionary
	byMySQL := err == nil

	mariaDB := mysqlPrograms{serverProgram("mariadbd"), serverProgram("mariadb-install-db")}
	hasMariaDB := mariaDB.server != "" && mariaDB.install != ""
	mysql := mysqlPrograms{server: serverProgram("mysqld")}
	hasMySQL := mysql.server != "" && !isMariaDB(mysql.server)
	switch {
	case hasMySQL && (byMySQL || !made && (!hasMariaDB || comesBefore(mysql.server, mariaDB.server))):
		return mysql, nil
	case hasMariaDB && !byMySQL:
		return mariaDB, nil
	case byMySQL:
		return mysqlPrograms{}, &MissingError{"mysqld", "mysql-server"}
	}
	return mysqlPrograms{}, &MissingError{"mariadbd", "mariadb-server"}
}

// comesBefore says whether the PATH has the folder of a program before that of
// another.
func comesBefore(program, other string) bool {
	folders := filepath.SplitList(os.Getenv("PATH"))
	at, from := slices.Index(folders, filepath.Dir(program)), slices.Index(folders, filepath.Dir(other))
	return at >= 0 && (from < 0 || at < from)
}

// isMariaDB sees through the link that MariaDB leaves under the old name.
func isMariaDB(server string) bool {
	path, err := filepath.EvalSymlinks(server)
	return err == nil && filepath.Base(path) == "mariadbd"
}

// serverProgram is a program of the PATH, or of the folder that Debian keeps
// servers in and that is not in the PATH of everybody. Empty: there is none.
func serverProgram(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	if path := filepath.Join("/usr/sbin", name); executable(path) {
		return path
	}
	return ""
}
