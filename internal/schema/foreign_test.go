package schema

import "testing"

func TestServersWordsOfPlainConditions(t *testing.T) {
	for check, want := range map[string]string{
		`((kind)::text = ANY ((ARRAY['a b'::character varying, 'it''s (b)'::character varying])::text[]))`: `kind IN ('a b', 'it''s (b)')`,
		`(kind = ANY (ARRAY['a'::text, 'b'::text]))`:                                                       `kind IN ('a', 'b')`,
		`((expires_month >= 1) AND (expires_month <= 12))`:                                                 `expires_month BETWEEN 1 AND 12`,
		`(rate > (0)::numeric)`:              `rate > 0`,
		`(rate >= '-1.5'::numeric)`:          `(rate >= '-1.5'::numeric)`,
		"`status` in ('active','frozen')":    `status IN ('active', 'frozen')`,
		"`expires_month` between 1 and 12":   `expires_month between 1 and 12`,
		"`rate` > 0":                         `rate > 0`,
		"(`a` > 0)":                          `a > 0`,
		"`a` > `b`":                          "`a` > `b`",
		"(a > 0) OR (b > 0)":                 "(a > 0) OR (b > 0)",
		"((a >= 1) AND (b <= 12))":           "((a >= 1) AND (b <= 12))",
		"(length(name) > 0)":                 "(length(name) > 0)",
		`("Odd" > 0)`:                        `("Odd" > 0)`,
		`(status <> ALL (ARRAY['a'::text]))`: `(status <> ALL (ARRAY['a'::text]))`,
		`((status)::text = ANY (ARRAY['a'::text]) AND (b > 1))`: `((status)::text = ANY (ARRAY['a'::text]) AND (b > 1))`,
	} {
		if got := plainCheck(check); got != want {
			t.Errorf("%s: got %s, want %s", check, got, want)
		}
	}
}
