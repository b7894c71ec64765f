package devstack

import (
	"os"
	"os/exec"
	"path/filepath"
)

// mysqlPrograms are the server's program and, for MariaDB, the one that makes a
// data folder, which MySQL's server does itself.
type mysqlPrograms struct {
	server  string
	install string // empty for MySQL
}

// findMySQL is MariaDB, or MySQL where there is no MariaDB. A data folder that
// one of them made can't be opened by the other.
func findMySQL(data string) (mysqlPrograms, error) {
	_, err := os.Stat(data)
	made := err == nil
	_, err = os.Stat(filepath.Join(data, "mysql.ibd")) // MySQL's own dictionary
	byMySQL := err == nil

	server, install := serverProgram("mariadbd"), serverProgram("mariadb-install-db")
	if server != "" && install != "" && !byMySQL {
		return mysqlPrograms{server, install}, nil
	}
	if server := serverProgram("mysqld"); server != "" && !isMariaDB(server) && (byMySQL || !made) {
		return mysqlPrograms{server: server}, nil
	}
	if byMySQL {
		return mysqlPrograms{}, &MissingError{"mysqld", "mysql-server"}
	}
	return mysqlPrograms{}, &MissingError{"mariadbd", "mariadb-server"}
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
