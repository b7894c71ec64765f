package admin

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"
)

// route is one method and path of the API.
type route struct {
	method string // a GET is served for HEAD too
	path   string
	least  role   // the role a key needs
	action string // what it does, for the audit log: "create workspace"
	serve  func(*exchange) error
}

// register makes the router from the routes of all resources.
func (a *api) register() {
	// The router only matches and never serves: so a path that isn't canonical
	// is an unknown route like any other, where it would redirect with a page.
	// It matches the path as it was sent: a name with a slash in it (%2F) names
	// one thing, and no other route.
	a.router = mux.NewRouter().UseEncodedPath()
	a.routes = make(map[*mux.Route]route)
	for _, resource := range [][]route{
		a.healthRoutes(),
		a.openapiRoutes(),
		a.workspaceRoutes(),
		a.queryRoutes(),
		a.schemaRoutes(),
		a.dataImportRoutes(),
		a.diffRoutes(),
		a.settingsRoutes(),
		a.blueprintRoutes(),
		a.tenantRoutes(),
		a.deploymentRoutes(),
		a.tenantQueryRoutes(),
		a.projectRoutes(),
		a.keyRoutes(),
	} {
		for _, rt := range resource {
			methods := []string{rt.method}
			if rt.method == http.MethodGet {
				methods = append(methods, http.MethodHead)
			}
			matched := a.router.Path(rt.path).Methods(methods...).Handler(http.NotFoundHandler())
			a.routes[matched] = rt
		}
	}
}

// match sets the exchange's route and path variables. Where there is no route,
// missing says so as the client may hear it.
func (a *api) match(x *exchange) (matched bool, missing error) {
	var m mux.RouteMatch
	if a.router.Match(x.r, &m) {
		x.route, x.vars = a.routes[m.Route], m.Vars
		for name, escaped := range x.vars {
			// The path of a request was unescaped once already: this can't fail.
			x.vars[name], _ = url.PathUnescape(escaped)
		}
		x.workspace = x.vars["id"]
		for _, named := range []string{"tenant", "blueprint", "deployment"} {
			if name, ok := x.vars[named]; ok {
				x.note(slog.String(named, shorten(name)))
			}
		}
		return true, nil
	}
	if errors.Is(m.MatchErr, mux.ErrMethodMismatch) {
		allowed := a.allowed(x.r)
		return false, &failure{
			status: http.StatusMethodNotAllowed,
			code:   "bad_request",
			text:   "method " + x.r.Method + " is not allowed here; allowed: " + allowed,
			header: http.Header{"Allow": {allowed}},
		}
	}
	return false, &failure{
		status: http.StatusNotFound,
		code:   "not_found",
		text:   "no such route; GET /openapi.json describes all",
	}
}

// allowed lists the methods of the request's path, as the Allow header does.
func (a *api) allowed(r *http.Request) string {
	var methods []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		other := *r
		other.Method = method
		if a.router.Match(&other, new(mux.RouteMatch)) {
			methods = append(methods, method)
		}
	}
	return strings.Join(slices.Compact(methods), ", ")
}
