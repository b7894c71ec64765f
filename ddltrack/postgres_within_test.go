package ddltrack

import "testing"

func TestWithinDatabase(t *testing.T) {
	for sql, want := range map[string]string{
		"CREATE TABLE shop.public.t (a shop.public.mood DEFAULT shop.public.f('shop.public.t'))": "CREATE TABLE public.t (a public.mood DEFAULT public.f('shop.public.t'))",
		`CREATE INDEX ON "shop" . /* here */ "public".t (a)`:                                     `CREATE INDEX ON "public".t (a)`,
		"CREATE VIEW v AS SELECT shop.public.t.a, SHOP.public.t.* FROM Shop.public.t":            "CREATE VIEW v AS SELECT public.t.a, public.t.* FROM public.t",
		"COMMENT ON COLUMN shop.public.t.a IS 'x'":                                               "COMMENT ON COLUMN public.t.a IS 'x'",
		"DROP TABLE IF EXISTS shop.public.a, shop.public.b":                                      "DROP TABLE IF EXISTS public.a, public.b",
		"CREATE TABLE shop.t (shop int)":                                                         "CREATE TABLE shop.t (shop int)",
		"CREATE VIEW v AS SELECT s.shop.a.b FROM t s":                                            "CREATE VIEW v AS SELECT s.shop.a.b FROM t s",
		`CREATE TABLE "Shop".public.t (a int)`:                                                   `CREATE TABLE "Shop".public.t (a int)`,
		"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$SELECT a FROM shop.public.t$$":        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$SELECT a FROM shop.public.t$$",
		"CREATE TABLE t (a int) -- shop.public.t":                                                "CREATE TABLE t (a int) -- shop.public.t",
		"CREATE TABLE shop.":        "CREATE TABLE shop.",
		"CREATE TABLE shop.public.": "CREATE TABLE shop.public.",
	} {
		if got := WithinDatabase(Statement{Text: sql}, "shop").Text; got != want {
			t.Errorf("%s\n got %s\nwant %s", sql, got, want)
		}
	}
}
