// Package admin is the HTTP API of an installation: it checks the key, decodes
// the request strictly, asks the workspace service and encodes the answer.
//
// A request's way is one function, ServeHTTP. Each resource is one file with
// its routes on top. Every answer but /metrics and /openapi.json is a JSON
// object that carries the envelope success, http_status and code.
package admin
