package postgres

import (
	"regexp"
	"strings"
)

// typeName is a type as its user would write it, from what format_type gives:
// "VARCHAR(255)" for "character varying(255)". Types that are not built in are
// left as they are.
func typeName(formatted string, builtin bool) string {
	if !builtin || strings.ContainsAny(formatted, `"`) {
		return formatted
	}
	t := strings.ToUpper(formatted)
	for _, short := range []struct{ long, short string }{
		{"CHARACTER VARYING", "VARCHAR"}, {"CHARACTER", "CHAR"}, {"BIT VARYING", "VARBIT"},
	} {
		if rest, ok := strings.CutPrefix(t, short.long); ok {
			return short.short + rest
		}
	}
	if m := zoned.FindStringSubmatch(t); m != nil {
		if m[3] == "WITH" {
			return m[1] + "TZ" + m[2] + m[4]
		}
		return m[1] + m[2] + m[4]
	}
	return t
}

// zoned takes "TIMESTAMP(3) WITH TIME ZONE[]" apart.
var zoned = regexp.MustCompile(`^(TIMESTAMP|TIME)(\(\d\))? (WITH|WITHOUT) TIME ZONE(.*)$`)

// serialName is the pseudo-type for a type's columns that count by themselves.
func serialName(formatted string) string {
	switch formatted {
	case "smallint":
		return "SMALLSERIAL"
	case "integer":
		return "SERIAL"
	case "bigint":
		return "BIGSERIAL"
	}
	return ""
}
