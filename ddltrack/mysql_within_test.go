package ddltrack

import "testing"

func TestWithinMySQL(t *testing.T) {
	for _, test := range []struct {
		mode      MySQLMode
		sql, want string
	}{
		{sql: "CREATE TRIGGER shop.t BEFORE INSERT ON `shop` . users FOR EACH ROW INSERT INTO shop.log SELECT shop.f(shop.log.id) FROM shop.log",
			want: "CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW INSERT INTO log SELECT f(log.id) FROM log"},
		{sql: "CREATE VIEW v AS select `shop`.`f`() AS `a`,`users`.`id` AS `shop.b` from `users`", want: "CREATE VIEW v AS select `f`() AS `a`,`users`.`id` AS `shop.b` from `users`"},
		{sql: "CREATE PROCEDURE p() SELECT 'shop.t', other.shop, @shop.a FROM shop.t", want: "CREATE PROCEDURE p() SELECT 'shop.t', other.shop, @shop.a FROM t"},
		{sql: "CREATE PROCEDURE p() SELECT 1", want: "CREATE PROCEDURE p() SELECT 1"},
		{sql: "CREATE PROCEDURE p() SELECT a FROM shop.t, Shop.u", want: "CREATE PROCEDURE p() SELECT a FROM t, Shop.u"},
		// The database has a table of its own name.
		{sql: "CREATE VIEW v AS select `shop`.`id` AS `id`,`shop`.`f`(`shop`.`id`) AS `f` from `shop` join `goods` on(`shop`.`id` = `goods`.`shop`)",
			want: "CREATE VIEW v AS select `shop`.`id` AS `id`,`f`(`shop`.`id`) AS `f` from `shop` join `goods` on(`shop`.`id` = `goods`.`shop`)"},
		{sql: "CREATE TRIGGER shop.t BEFORE UPDATE ON shop.shop FOR EACH ROW UPDATE shop.goods SET a = (SELECT shop.shop.id + shop.id FROM shop.shop JOIN shop.log ON shop.id = log.id)",
			want: "CREATE TRIGGER t BEFORE UPDATE ON shop FOR EACH ROW UPDATE goods SET a = (SELECT shop.id + shop.id FROM shop JOIN log ON shop.id = log.id)"},
		{mode: MySQLMode{ANSIQuotes: true}, sql: `CREATE FUNCTION "shop"."f"() RETURNS int RETURN (SELECT max("shop"."t"."a") FROM shop.t)`,
			want: `CREATE FUNCTION "f"() RETURNS int RETURN (SELECT max("t"."a") FROM t)`},
		{sql: `CREATE PROCEDURE p() SELECT "shop"."t"`, want: `CREATE PROCEDURE p() SELECT "shop"."t"`},
		{sql: "CREATE PROCEDURE shop.", want: "CREATE PROCEDURE shop."},
	} {
		s := SplitMySQL(test.sql, test.mode)[0]
		if got := WithinMySQL(s, "shop", false).Text; got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.sql, got, test.want)
		}
	}
	if got := WithinMySQL(SplitMySQL("DROP TABLE Shop.t", MySQLMode{})[0], "shop", true).Text; got != "DROP TABLE t" {
		t.Errorf("where names are folded: got %s", got)
	}
}

func TestWithoutAnyDefinerMySQL(t *testing.T) {
	for _, test := range []struct {
		mode      MySQLMode
		sql, want string
	}{
		{sql: "CREATE DEFINER=`a``b`@`%` PROCEDURE p() SELECT 1", want: "CREATE PROCEDURE p() SELECT 1"},
		{sql: "CREATE DEFINER=`boss` PROCEDURE p() SELECT 1", want: "CREATE PROCEDURE p() SELECT 1"},
		{sql: "CREATE ALGORITHM=UNDEFINED DEFINER=`a`@`b` SQL SECURITY DEFINER VIEW v AS select 1", want: "CREATE ALGORITHM=UNDEFINED SQL SECURITY DEFINER VIEW v AS select 1"},
		{mode: MySQLMode{ANSIQuotes: true}, sql: `CREATE DEFINER="a"@"b" FUNCTION "f"() RETURNS int RETURN 1`, want: `CREATE FUNCTION "f"() RETURNS int RETURN 1`},
		{sql: "CREATE PROCEDURE p() SELECT 1", want: "CREATE PROCEDURE p() SELECT 1"},
	} {
		if got := WithoutAnyDefinerMySQL(SplitMySQL(test.sql, test.mode)[0]).Text; got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.sql, got, test.want)
		}
	}
}
