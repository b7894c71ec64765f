package admin

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestDecodeNamesTheFault(t *testing.T) {
	for body, want := range map[string]string{
		``:                             "the request body is empty",
		" \n\t":                        "the request body is empty",
		`null`:                         "must be a JSON object, got null",
		`"x"`:                          "must be a JSON object, got a string",
		`[{}]`:                         "must be a JSON object, got an array",
		`7`:                            "must be a JSON object, got a number",
		`{"name": "a"`:                 "malformed JSON at byte 12",
		`{"name": "a",}`:               "malformed JSON at byte 14",
		`{"name": "a"} x`:              "malformed JSON at byte 15",
		`{"name": "a"}{"name": "b"}`:   "malformed JSON at byte 14",
		"{\"name\": \"\xff\"}":         "not valid UTF-8",
		`{"name": 1, "mode": "m"}`:     `field "name" must be a string, got a number`,
		`{"name": null, "mode": "m"}`:  `field "name" must be a string, got null`,
		`{"name": true, "mode": "m"}`:  `field "name" must be a string, got a boolean`,
		`{"name": {}, "mode": "m"}`:    `field "name" must be a string, got an object`,
		`{"name": ["a"], "mode": "m"}`: `field "name" must be a string, got an array`,
		`{"name": "a"}`:                `missing field "mode": choose tenant or control`,
		`{"mode": "m"}`:                `missing field "name"`,
		`{"name": "a", "mode": "m", "name": "b"}`:            `duplicate field "name"`,
		`{"name": "a", "mode": "m", "n\u0061me": "b"}`:       `duplicate field "name"`,
		`{"Name": "a", "mode": "m"}`:                         `unknown field "Name"; the fields are name, mode, values`,
		`{"name": "a", "mode": "m", "values": "x"}`:          `field "values" must be an array of strings, got a string`,
		`{"name": "a", "mode": "m", "values": ["x", 1]}`:     `field "values" must be an array of strings, got a number in it`,
		`{"name": "a", "mode": "m", "values": [[]]}`:         `field "values" must be an array of strings, got an array in it`,
		`{"` + strings.Repeat("é", 1000) + `": 1}`:           `unknown field "` + strings.Repeat("é", 64) + `…"`,
		`{"name": ` + strings.Repeat("[", 20_000) + `, "m"]`: "malformed JSON",
	} {
		var name, mode string
		var values []string
		err := decodeFields([]byte(body), []field{
			{name: "name", into: &name},
			{name: "mode", into: &mode, choices: "tenant or control"},
			{name: "values", into: &values, optional: true},
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got %v, want %s", body, err, want)
		}
	}
}

func TestDecodeFillsTheFields(t *testing.T) {
	var name string
	var values []string
	err := decodeFields([]byte(" {\"values\": [\"x\", \"\"], \"name\": \"a\\u00e9\\n\"}\n"), []field{
		{name: "name", into: &name}, {name: "values", into: &values},
	})
	if err != nil || name != "aé\n" || !reflect.DeepEqual(values, []string{"x", ""}) {
		t.Errorf("got %q %q %v", name, values, err)
	}
}

func TestDepthIsBounded(t *testing.T) {
	nested := func(levels int) []byte {
		return []byte(`{"a": ` + strings.Repeat(`[{"b":`, levels/2) + "1" + strings.Repeat(`}]`, levels/2) + `}`)
	}
	if _, err := decodeObject(nested(mostDepth - 2)); err != nil {
		t.Errorf("just below: %v", err)
	}
	if _, err := decodeObject(nested(mostDepth)); err == nil || !strings.Contains(err.Error(), "nested deeper") {
		t.Errorf("above: got %v", err)
	}
}

// FuzzDecode holds the strict decoder to encoding/json: what it takes, that
// takes too, and reads alike.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `{"name":"a","mode":"tenant"}`, `{"a":{"b":[1,2.5e3,null,true,"x"]}}`, `{"a":1,"a":2}`,
		`{"databases":[{"blueprint":"a","level":2},{"blueprint":"b"}],"all":true}`, `{"databases":[{"blueprint":"a","level":1e9}]}`,
		`{"a":1}x`, `[`, `{"\ud800":1}`, "{\"a\":\"\xff\"}", strings.Repeat(`{"a":`, 40), `{"a":-0}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		type database struct {
			Blueprint string `json:"blueprint"`
			Level     int64  `json:"level"`
		}
		type request struct {
			Name      string      `json:"name"`
			Values    []string    `json:"values"`
			Databases []*database `json:"databases"`
			All       bool        `json:"all"`
		}
		var read request
		fields := []field{
			{name: "name", into: &read.Name, optional: true},
			{name: "values", into: &read.Values, optional: true},
			{name: "all", into: &read.All, optional: true},
			{name: "databases", optional: true, into: objects(func() []field {
				d := &database{}
				read.Databases = append(read.Databases, d)
				return []field{{name: "blueprint", into: &d.Blueprint}, {name: "level", into: &d.Level, optional: true}}
			})},
		}
		if decodeFields(body, fields) == nil {
			var want request
			err := json.Unmarshal(body, &want)
			if len(want.Databases) == 0 {
				want.Databases = nil // as ours is, without any
			}
			if err != nil || !reflect.DeepEqual(read, want) {
				t.Errorf("got %+v, encoding/json %+v %v", read, want, err)
			}
		}
		got, err := decodeObject(body)
		if err != nil {
			return
		}
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		var want map[string]any
		if err := d.Decode(&want); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %#v, encoding/json %#v %v", got, want, err)
		}
	})
}
