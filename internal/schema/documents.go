package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// documentWriter writes collections as MongoDB's commands.
type documentWriter struct {
	steps    []Step
	warnings []string
}

func (w *documentWriter) write(c Collection) {
	create := command{{"create", jsonString(c.Name)}}
	if c.Validator != nil {
		create = append(create, part{"validator", string(c.Validator)})
	}
	if c.Level != "" {
		create = append(create, part{"validationLevel", jsonString(c.Level)})
	}
	if c.Action != "" {
		create = append(create, part{"validationAction", jsonString(c.Action)})
	}
	w.steps = append(w.steps, Step{Statement: create.String(), Object: c.Name, Table: c.Name, Makes: true})
	for _, x := range c.Indexes {
		if len(x.Keys) == 0 {
			if x.Name != "_id_" {
				w.warnings = append(w.warnings, fmt.Sprintf("%s: the index %s has a name only: give its keys to have it made", c.Name, x.Name))
			}
			continue
		}
		name := x.Name
		if name == "" {
			name = x.ownName()
		}
		text := command{{"createIndexes", jsonString(c.Name)}, {"indexes", "[" + x.spec(name).String() + "]"}}.String()
		w.steps = append(w.steps, Step{Statement: text, Object: "index " + name + " on " + c.Name, Table: c.Name})
	}
}

// ownName is that which MongoDB's clients give: "email_1_at_-1".
func (x DocumentIndex) ownName() string {
	var parts []string
	for _, k := range x.Keys {
		parts = append(parts, k.Field, strings.Trim(k.Order, `"`))
	}
	return strings.Join(parts, "_")
}

func (x DocumentIndex) spec(name string) command {
	var keys command
	for _, k := range x.Keys {
		keys = append(keys, part{k.Field, k.Order})
	}
	spec := command{{"key", keys.String()}, {"name", jsonString(name)}}
	if x.Unique {
		spec = append(spec, part{"unique", "true"})
	}
	if x.Sparse {
		spec = append(spec, part{"sparse", "true"})
	}
	if x.HasTTL {
		spec = append(spec, part{"expireAfterSeconds", fmt.Sprint(x.TTL)})
	}
	if x.Partial != nil {
		spec = append(spec, part{"partialFilterExpression", string(x.Partial)})
	}
	return spec
}

// command is a JSON object whose members have an order.
type command []part

type part struct{ name, json string }

func (c command) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, p := range c {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(jsonString(p.name) + ":" + p.json)
	}
	b.WriteByte('}')
	return b.String()
}

func jsonString(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string can always be encoded
	return strings.TrimSuffix(b.String(), "\n")
}
