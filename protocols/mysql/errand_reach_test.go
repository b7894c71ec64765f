package mysql

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	driver "github.com/go-sql-driver/mysql"
	"github.com/tenantsdb/tenantsdb/ddltrack"
)

// tableReads read a table, and hide it from who reads words as they stand.
var tableReads = []string{
	"SELECT 5 AS `1`, 6 AS %s, 1 FROM %[1]s.t",
	"SELECT 5 AS `1`, 6 AS %s, 1e5 FROM %[1]s.t",
	"SELECT 6 AS `%s`, 1. FROM %[1]s.t",
	"SELECT 1 AS `table`, 2 AS %s UNION TABLE %[1]s.t",
	"SELECT 1 AS %s, 2 AS `for`, 3 AS `next`, NEXT VALUE FOR %[1]s.s",
	"SELECT 1 %s, e.ENGINE FROM information_schema.ENGINES e, %[1]s.t",
	"SELECT 1 %s, e.ENGINE FROM information_schema.ENGINES e JOIN %[1]s.t",
	"SELECT 1 AS `into`, 2 AS `outfile`, 3 AS %s INTO OUTFILE 'x'",
	"SELECT 1 AS %s, 'a' FROM %[1]s.t",
	"SELECT 1 AS %s, @a FROM %[1]s.t",
	"SELECT 1 AS %s, @@version FROM %[1]s.t",
	"SELECT 1 AS %s, 0x1 FROM %[1]s.t",
	"SELECT 1 AS %s FROM information_schema.ENGINES UNION (SELECT 1 FROM %[1]s.t)",
	"SHOW VARIABLES WHERE EXISTS(SELECT 1 FROM %s.t)",
	"SET @a = (SELECT 1 FROM %s.t)",
}

// The server is asked whether it read a table in what is taken for an errand: by
// a user who may read none, so that it says so.
func TestErrandsReachNoTable(t *testing.T) {
	w := newWorld(t)
	database := w.route.Database
	admin := adminDB(t)
	mustExec(t, admin, "CREATE TABLE "+database+".t (id INT)")
	mustExec(t, admin, "CREATE USER nobody@localhost IDENTIFIED BY 'nobody'")
	t.Cleanup(func() { mustExec(t, admin, "DROP USER nobody@localhost") })
	conn := openConfig(t, theServer.start(t).Clone(), func(c *driver.Config) { c.User, c.Passwd = "nobody", "nobody" })

	splices := append(strings.Fields("` `` ' '' \" . .. , ( ) @ @@ - -- # /* */ /*! /*!40100 /*!401011 1 0 1. .1 1e 1e1 e x X N : = \\ $ AS t FROM from `from` NULL a VALUE value. DUAL having. "+
		database+" "+database+". `"+database+"`"),
		" ", "\n", "\t", "\f", "\r", "\x01", "\x1f", "\x7f", "--\x01", "--\x7f", "", "", "", "")
	random := rand.New(rand.NewPCG(1, 2))
	ran := 0
	for range 15_000 {
		text := fmt.Sprintf(tableReads[random.IntN(len(tableReads))], database)
		for range 1 + random.IntN(4) {
			from := random.IntN(len(text) + 1)
			to := min(len(text), from+random.IntN(3))
			text = text[:from] + splices[random.IntN(len(splices))] + text[to:]
		}
		if errand, _ := ddltrack.MySQLErrandOf(text); errand != ddltrack.MySQLAsks && errand != ddltrack.MySQLSets {
			continue
		}
		ran++
		rows, err := conn.QueryContext(t.Context(), text)
		if err == nil {
			err = errors.Join(rows.Close(), rows.Err())
		}
		if refusal, ok := errors.AsType[*driver.MySQLError](err); ok && reachesTable[refusal.Number] {
			t.Errorf("%q is taken for an errand: %v", text, refusal)
		}
	}
	if ran < 20 {
		t.Errorf("%d texts were errands: too few to tell anything", ran)
	}
}

// reachesTable are the errors of a statement that reads a table, a sequence or a
// routine, or writes a file.
var reachesTable = map[uint16]bool{1044: true, 1046: true, 1049: true, 1142: true, 1143: true, 1146: true, 1227: true, 1290: true, 1305: true, 1347: true, 1370: true, 4091: true}
