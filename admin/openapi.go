package admin

import (
	_ "embed"
	"net/http"
)

// openapiDocument describes every route, request, answer and error of the API.
//
//go:embed openapi.json
var openapiDocument string

func (a *api) openapiRoutes() []route {
	return []route{
		{http.MethodGet, "/openapi.json", anyone, "read API description", a.getOpenAPI},
	}
}

// getOpenAPI serves GET /openapi.json: the document as it is, without the
// envelope, for tools that read such documents.
func (a *api) getOpenAPI(x *exchange) error {
	x.code = "ok"
	x.Header().Set("Content-Type", "application/json")
	_, err := x.Write([]byte(openapiDocument))
	return err
}
