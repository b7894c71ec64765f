package workspace

import (
	"context"
	"slices"
	"strings"
)

// Login finds what a protocol needs to check a login; never an error for an
// unknown user or database (see Login.Known). It reads memory only.
func (s *Service) Login(_ context.Context, t DatabaseType, user, database string) (Login, error) {
	u, h := s.directory.route(t, user, database)
	if u == nil {
		return s.decoy.login(user, nil), nil
	}
	if h == nil {
		return s.decoy.login(user, u.scram.Salt), nil
	}
	return loginTo(u, h), nil
}

// LoginUser is Login for a client that has named no database yet. It is Known
// where the user is. Where the user reaches just one database of that type, the
// Login leads there, and where it has none or several nowhere:
// Route.Live is nil then, and the database that the client names later is to be
// looked up by Login, whose password is the same. It reads memory only.
func (s *Service) LoginUser(_ context.Context, t DatabaseType, user string) (Login, error) {
	u, h := s.directory.routeUser(t, user)
	if u == nil {
		return s.decoy.login(user, nil), nil
	}
	if h == nil {
		return Login{Known: true, Password: u.password, SCRAM: u.scram}, nil
	}
	return loginTo(u, h), nil
}

// Routes are where user may go on: to the databases of that type that it reaches,
// by their names, none for an unknown user. It checks no
// password and reads memory only.
func (s *Service) Routes(_ context.Context, t DatabaseType, user string) ([]Route, error) {
	var routes []Route
	u, all := s.directory.routesOf(t, user)
	for _, h := range all {
		routes = append(routes, routeTo(u, h))
	}
	slices.SortFunc(routes, func(a, b Route) int { return strings.Compare(a.Database, b.Database) })
	return routes, nil
}

// anyWorkspace is the user name that stands for the project's only workspace of
// the type.
const anyWorkspace = "workspace"

// LoginByPassword is Login for protocols whose login names no database: user is
// the name of the workspace or the tenant's database, or "workspace" or empty
// where the one that the password belongs to reaches just one of that type. The
// password has been checked where the Login is Known; one that is not may be any
// password but not the right one. It reads memory only.
func (s *Service) LoginByPassword(_ context.Context, t DatabaseType, user, password string) (Login, error) {
	u, h := s.directory.routeByPassword(t, user, password)
	if h == nil {
		return s.decoy.login(user, nil), nil
	}
	return loginTo(u, h), nil
}

func loginTo(u *heldUser, h *held) Login {
	return Login{Known: true, Password: u.password, SCRAM: u.scram, Route: routeTo(u, h)}
}

func routeTo(u *heldUser, h *held) Route {
	route := Route{Live: h.live, Key: u.key, Address: h.server.engine.Address(), Database: h.target.Database}
	if engine, may := h.server.engine.(Roleless); may && !engine.HasRoles() {
		return route
	}
	route.Role, route.Password = h.target.Role, h.target.Password
	if u.reads() {
		route.Role, route.Password = "", ""
		if r := h.reader.Load(); r != nil { // it goes only after the last of its keys was revoked
			route.Role, route.Password = r.role, r.password
		}
	}
	return route
}
