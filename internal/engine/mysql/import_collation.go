package mysql

import (
	"regexp"
	"slices"
	"strings"
)

// The collations that MySQL and MariaDB give to new tables do not exist on the
// other: MySQL 8 and MariaDB 10.10 have theirs from different versions of
// Unicode, which order the same letters alike.
var (
	collationOfMySQL   = regexp.MustCompile(`\butf8mb4_0900_(ai_ci|as_ci|as_cs|bin)\b`)
	collationOfMariaDB = regexp.MustCompile(`\butf8mb4_uca1400_(?:nopad_)?(ai_ci|as_ci|as_cs)\b`)
)

// likeCollation is the name of the server's own collation that is like the one
// of the other kind of server that m found.
func likeCollation(mariaDB bool, m []string) string {
	switch {
	case !mariaDB:
		return "utf8mb4_0900_" + m[1]
	case m[1] == "bin":
		return "utf8mb4_nopad_bin"
	}
	return "utf8mb4_uca1400_nopad_" + m[1]
}

// withOwnCollations is a statement of the other kind of server with the
// collations that this one has, and which those are; none where there is nothing
// to put in their place.
func withOwnCollations(text string, mariaDB bool) (own string, others []string) {
	of := collationOfMariaDB
	if mariaDB {
		of = collationOfMySQL
	}
	own = of.ReplaceAllStringFunc(text, func(name string) string {
		if !slices.Contains(others, name) {
			others = append(others, name)
		}
		return likeCollation(mariaDB, of.FindStringSubmatch(name))
	})
	return own, others
}

// collationWarning tells of collations that were exchanged.
func collationWarning(object string, others []string) string {
	return object + ": the server has no " + strings.Join(others, ", ") + ", and its own like it was taken"
}
