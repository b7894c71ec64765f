package admin

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// document is /openapi.json, ready to hold answers to it.
type document struct {
	tree     map[string]any
	compiler *jsonschema.Compiler
}

// readDocument parses the document and closes its schemas: where clients must
// let further keys pass, our own answers may have none that are not described.
func readDocument(t *testing.T) *document {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(openapiDocument))
	if err != nil {
		t.Fatalf("openapi.json: %v", err)
	}
	tree := parsed.(map[string]any)
	schemas := at[map[string]any](t, tree, "components", "schemas")
	for name, schema := range schemas {
		switch name {
		case "Envelope", "Ok", "Created", "Accepted", "Error":
		default:
			closeSchema(schema.(map[string]any))
		}
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	if err := compiler.AddResource("openapi.json", tree); err != nil {
		t.Fatalf("openapi.json: %v", err)
	}
	return &document{tree: tree, compiler: compiler}
}

// closeSchema forbids unknown keys in a schema of an object and in those that
// its keys hold.
func closeSchema(schema map[string]any) {
	_, object := schema["properties"]
	_, composed := schema["allOf"]
	if object || composed {
		schema["unevaluatedProperties"] = false
	}
	parts := []any{schema}
	if all, ok := schema["allOf"].([]any); ok {
		parts = append(parts, all...)
	}
	for _, part := range parts {
		properties, _ := part.(map[string]any)["properties"].(map[string]any)
		for _, property := range properties {
			if nested, ok := property.(map[string]any); ok && nested["type"] == "object" {
				closeSchema(nested)
			}
		}
	}
}

// at is the value at a path of keys.
func at[T any](t *testing.T, tree map[string]any, path ...string) T {
	t.Helper()
	var value any = tree
	for _, key := range path {
		value = value.(map[string]any)[key]
	}
	typed, ok := value.(T)
	if !ok {
		t.Fatalf("openapi.json has no %s", strings.Join(path, "/"))
	}
	return typed
}

// pointer is a JSON pointer as a URL fragment.
func pointer(path ...string) string {
	escaped := make([]string, len(path))
	for i, key := range path {
		escaped[i] = strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(key)
	}
	return "openapi.json#/" + strings.Join(escaped, "/")
}

func (d *document) validate(text []byte, path ...string) error {
	schema, err := d.compiler.Compile(pointer(path...))
	if err != nil {
		return fmt.Errorf("compile schema %v: %w", path, err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// check fails unless the answer is one that the document gives for the route,
// and the request, if it was accepted, one that the document allows.
func (d *document) check(t *testing.T, template string, r *http.Request, sent []byte, w *httptest.ResponseRecorder) {
	t.Helper()
	if r.Method == http.MethodHead {
		return
	}
	if template == "" {
		if err := d.validate(w.Body.Bytes(), "components", "schemas", "Error"); err != nil {
			t.Errorf("%s %s: %v\n%s", r.Method, r.URL.Path, err, w.Body)
		}
		return
	}
	method, status := strings.ToLower(r.Method), strconv.Itoa(w.Code)
	operation := at[map[string]any](t, d.tree, "paths", template, method)
	if w.Code < 300 && operation["requestBody"] != nil {
		if err := d.validate(sent, "paths", template, method, "requestBody", "content", "application/json", "schema"); err != nil {
			t.Errorf("%s %s: accepted request: %v\n%s", r.Method, r.URL.Path, err, sent)
		}
	}
	path := []string{"paths", template, method, "responses", status}
	answer := at[map[string]any](t, d.tree, path...)
	if ref, ok := answer["$ref"].(string); ok {
		path = strings.Split(strings.TrimPrefix(ref, "#/"), "/")
		answer = at[map[string]any](t, d.tree, path...)
	}
	for name, header := range answer["headers"].(map[string]any) {
		required := header.(map[string]any)["required"] == true || name == "X-Request-Id"
		if required && w.Header().Get(name) == "" {
			t.Errorf("%s %s: %s answer lacks the header %s", r.Method, r.URL.Path, status, name)
		}
	}
	kind, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
	if _, ok := answer["content"].(map[string]any)[kind]; !ok {
		t.Fatalf("%s %s: %s answer has the undescribed type %q", r.Method, r.URL.Path, status, kind)
	}
	if kind != "application/json" {
		return
	}
	if err := d.validate(w.Body.Bytes(), append(path, "content", kind, "schema")...); err != nil {
		t.Errorf("%s %s: %v\n%s", r.Method, r.URL.Path, err, w.Body)
	}
}

func TestDocumentHasEveryRouteAndNoOther(t *testing.T) {
	f := newFixture(t)
	served := make(map[string]bool)
	for _, rt := range f.api.routes {
		served[strings.ToLower(rt.method)+" "+rt.path] = true
	}
	described := make(map[string]bool)
	ids := make(map[any]bool)
	for path, item := range at[map[string]any](t, f.document.tree, "paths") {
		for method, operation := range item.(map[string]any) {
			if method == "parameters" {
				continue
			}
			described[method+" "+path] = true
			id := operation.(map[string]any)["operationId"]
			if ids[id] {
				t.Errorf("operationId %v is used twice", id)
			}
			ids[id] = true
		}
	}
	for rt := range served {
		if !described[rt] {
			t.Errorf("%s is served and not described", rt)
		}
	}
	for rt := range described {
		if !served[rt] {
			t.Errorf("%s is described and not served", rt)
		}
	}
}

func TestDocumentSaysWhichRoutesAreOpen(t *testing.T) {
	f := newFixture(t)
	for _, rt := range f.api.routes {
		operation := at[map[string]any](t, f.document.tree, "paths", rt.path, strings.ToLower(rt.method))
		_, open := operation["security"]
		if open != (rt.least == anyone) {
			t.Errorf("%s %s: described as open: %v; served as open: %v", rt.method, rt.path, open, rt.least == anyone)
		}
		says, _ := operation["description"].(string)
		if rt.least != anyone && !strings.Contains(says, "the role "+rt.least.String()) {
			t.Errorf("%s %s: description %q does not name the role %s", rt.method, rt.path, says, rt.least)
		}
	}
}

// Without this, a mistake in the harness could let every answer pass.
func TestDocumentCheckFindsFaults(t *testing.T) {
	d := readDocument(t)
	good := `{"success":true,"http_status":200,"code":"ok","message":"m"}`
	if err := d.validate([]byte(good), "components", "schemas", "MessageAnswer"); err != nil {
		t.Fatalf("good answer: %v", err)
	}
	for name, bad := range map[string]string{
		"key missing":     `{"success":true,"http_status":200,"code":"ok"}`,
		"key undescribed": `{"success":true,"http_status":200,"code":"ok","message":"m","more":1}`,
		"type wrong":      `{"success":true,"http_status":200,"code":"ok","message":1}`,
		"envelope wrong":  `{"success":false,"http_status":200,"code":"ok","message":"m"}`,
	} {
		if d.validate([]byte(bad), "components", "schemas", "MessageAnswer") == nil {
			t.Errorf("%s: passed", name)
		}
	}
}

func TestDocumentIsServedAsItIs(t *testing.T) {
	f := newFixture(t)
	r := httptest.NewRequest(http.MethodGet, "/openapi.json", nil)
	got := f.send(t, r)
	if got.Code != http.StatusOK || got.Body.String() != openapiDocument {
		t.Errorf("got %d and %d bytes, want 200 and the document's %d", got.Code, got.Body.Len(), len(openapiDocument))
	}
}
