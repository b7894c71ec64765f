package ddltrack

import (
	"strings"
	"testing"
)

func TestMovedMySQL(t *testing.T) {
	for sql, want := range map[string]string{
		"CREATE TABLE shop.t (a INT)": "CREATE TABLE `eu__acme`.t (a INT)",
		"ALTER TABLE `shop`.`t` ADD b INT, ADD FOREIGN KEY (a) REFERENCES shop . u (id)": "ALTER TABLE `eu__acme`.`t` ADD b INT, ADD FOREIGN KEY (a) REFERENCES `eu__acme` . u (id)",
		"CREATE VIEW v AS SELECT shop.t.a FROM shop.t":                                   "CREATE VIEW v AS SELECT `eu__acme`.t.a FROM `eu__acme`.t",
		"ALTER DATABASE shop COLLATE utf8mb4_bin":                                        "ALTER DATABASE `eu__acme` COLLATE utf8mb4_bin",
		"ALTER DATABASE COLLATE utf8mb4_bin":                                             "ALTER DATABASE COLLATE utf8mb4_bin",
		"CREATE TABLE shop (shop INT DEFAULT 5)":                                         "CREATE TABLE shop (shop INT DEFAULT 5)",
		"CREATE TABLE t (a TEXT DEFAULT 'shop.t') -- shop.t":                             "CREATE TABLE t (a TEXT DEFAULT 'shop.t') -- shop.t",
		"CREATE VIEW v AS SELECT other.shop.a, @shop.b FROM other.shop":                  "CREATE VIEW v AS SELECT other.shop.a, @shop.b FROM other.shop",
		"CREATE TABLE SHOP.t (a INT)":                                                    "CREATE TABLE SHOP.t (a INT)",
		"/*!50001 CREATE VIEW `shop`.`v` AS select 1 */":                                 "/*!50001 CREATE VIEW `eu__acme`.`v` AS select 1 */",
	} {
		s := SplitMySQL(sql, MySQLMode{})[0]
		got := MovedMySQL(s, "shop", "eu__acme", false).Text
		if want, _, _ := strings.Cut(want, " --"); got != want {
			t.Errorf("%s\n got %s\nwant %s", sql, got, want)
		}
	}
	if got := MovedMySQL(SplitMySQL("DROP TABLE Shop.t", MySQLMode{})[0], "shop", "b", true).Text; got != "DROP TABLE `b`.t" {
		t.Errorf("where names are folded: got %s", got)
	}
	for _, o := range []MySQLObject{
		{Kind: "table", Database: "shop", Name: "t"}, {Kind: "index", Database: "a.b`c", Table: "t", Name: "i"},
		{Kind: "event", Database: "a-b", Name: "e"}, {Kind: "database", Name: "a b"},
	} {
		want := o.Database
		if o.Kind == "database" {
			want = o.Name
		}
		if got := DatabaseOfMySQL(o.Identity()); got != want {
			t.Errorf("%s is in %q, want %q", o.Identity(), got, want)
		}
	}
}

func TestDropLeftMySQL(t *testing.T) {
	for sql, want := range map[string]string{
		"DROP TABLE a, `b`":           "DROP TABLE IF EXISTS a, `b`",
		"DROP /*!50000 VIEW */ a,b":   "DROP /*!50000 VIEW */ IF EXISTS a,b",
		"DROP TABLE IF EXISTS a, b":   "DROP TABLE IF EXISTS a, b",
		"DROP TABLE a":                "DROP TABLE a",
		"ALTER TABLE a DROP b,DROP c": "ALTER TABLE a DROP b,DROP c",
	} {
		if got := DropLeftMySQL(SplitMySQL(sql, MySQLMode{})[0]).Text; got != want {
			t.Errorf("%s\n got %s\nwant %s", sql, got, want)
		}
	}
}
