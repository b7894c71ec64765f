package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// envelope is on top of every JSON answer, merged beside the endpoint's keys.
type envelope struct {
	Success    bool   `json:"success"`
	HTTPStatus int    `json:"http_status"`
	Code       string `json:"code"`
}

func (e *envelope) fill(filled envelope) { *e = filled }

// answer is the body of a success: a struct that embeds envelope.
type answer interface{ fill(envelope) }

// ok answers 200.
func (x *exchange) ok(body answer) error {
	return x.succeed(http.StatusOK, "ok", body)
}

// created answers 201.
func (x *exchange) created(body answer) error {
	return x.succeed(http.StatusCreated, "created", body)
}

func (x *exchange) succeed(status int, code string, body answer) error {
	x.code = code
	body.fill(envelope{Success: true, HTTPStatus: status, Code: code})
	return x.send(status, body)
}

// send writes body as the whole answer.
func (x *exchange) send(status int, body any) error {
	text, err := encode(body)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	return x.sendText(status, text)
}

// sendText writes JSON as the whole answer.
func (x *exchange) sendText(status int, text []byte) error {
	x.Header().Set("Content-Type", "application/json")
	x.Header().Set("Content-Length", strconv.Itoa(len(text)))
	x.WriteHeader(status)
	if _, err := x.Write(text); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

// encode makes JSON with & < > as they are, so that a connection string can be
// copied from it, and a line feed at the end for terminals.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// join makes one object of two that encode made, neither of them empty.
func join(first, second []byte) []byte {
	return append(append(bytes.TrimSuffix(first, []byte("}\n")), ','), bytes.TrimPrefix(second, []byte("{"))...)
}

// milliseconds is how the API writes a duration: "8ms".
func milliseconds(d time.Duration) string {
	return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
}

// utc is how the API writes a time: RFC 3339 in UTC, in whole seconds.
func utc(t time.Time) string {
	return t.UTC().Format(time.RFC3339)
}

// orEmpty is items, or an empty list where they are nil: never null in JSON.
func orEmpty[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}
