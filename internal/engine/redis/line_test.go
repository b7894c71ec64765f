package redis

import (
	"slices"
	"testing"
)

func TestLinesSplitAsRedisCLISplitsThem(t *testing.T) {
	for line, want := range map[string][]string{
		``:                           nil,
		"  \t ":                      nil,
		`GET a`:                      {"GET", "a"},
		"  SET\ta   b \r":            {"SET", "a", "b"},
		`SET a ""`:                   {"SET", "a", ""},
		`SET a "x y"`:                {"SET", "a", "x y"},
		`SET a 'x y'`:                {"SET", "a", "x y"},
		`SET a "\n\r\t\b\a"`:         {"SET", "a", "\n\r\t\b\a"},
		`SET a "\x00\xFf\xZZ"`:       {"SET", "a", "\x00\xffxZZ"},
		`SET a "\x4"`:                {"SET", "a", "x4"},
		`SET a "say \"hi\" \\ \q"`:   {"SET", "a", `say "hi" \ q`},
		`SET a 'it\'s \n'`:           {"SET", "a", `it's \n`},
		`SET a {"k":1}`:              nil, // a quote in the midst must end the argument
		`SET a '{"k": 1}'`:           {"SET", "a", `{"k": 1}`},
		`SET a x"y z"`:               {"SET", "a", "xy z"},
		`SET a größe`:                {"SET", "a", "größe"},
		`SET a "unclosed`:            nil,
		`SET a 'unclosed`:            nil,
		`SET a "x"y`:                 nil,
		`SET a 'x'y`:                 nil,
		`SET a "x\`:                  nil,
		`SET a # no comment`:         {"SET", "a", "#", "no", "comment"},
		`SET back\slash \x41`:        {"SET", `back\slash`, `\x41`},
		`EVAL "return 'a b'" 0`:      {"EVAL", "return 'a b'", "0"},
		`EVAL 'return "a b"' 0`:      {"EVAL", `return "a b"`, "0"},
		"SET a \"x\"\tb":             {"SET", "a", "x", "b"},
		"SET a\nb":                   {"SET", "a", "b"},
		`"GET" 'a'`:                  {"GET", "a"},
		`JSON.SET d $ '{"a":"b c"}'`: {"JSON.SET", "d", "$", `{"a":"b c"}`},
	} {
		got, err := splitLine(line)
		if !slices.Equal(got, want) || err == nil && want == nil && len(got) > 0 {
			t.Errorf("%s: got %q %v, want %q", line, got, err, want)
		}
		if wrong := want == nil && line != "" && line[0] == 'S'; wrong != (err != nil) {
			t.Errorf("%s: got error %v", line, err)
		}
	}
}

func FuzzSplitLine(f *testing.F) {
	for _, seed := range []string{`SET a "x\x41"`, `SET a 'it\'s'`, `"`, `a"b"c`, `\`, "a\n b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := splitLine(line)
		total := 0
		for _, word := range words {
			total += len(word)
		}
		if err == nil && total > len(line) {
			t.Errorf("%q became longer: %q", line, words)
		}
	})
}
