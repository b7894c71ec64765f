package admin

import (
	"net/http"
	"strings"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// role is how much a key may do. Each includes the ones before it.
type role int

const (
	anyone        role = iota // no key needed
	reader                    // sees
	writer                    // also makes, changes and removes workspaces
	administrator             // also manages projects and keys
)

// roleOf is the role of a key; one that is not known may do nothing.
func roleOf(name string) role {
	switch name {
	case "read":
		return reader
	case "write":
		return writer
	case "admin":
		return administrator
	}
	return anyone
}

func (r role) String() string {
	switch r {
	case reader:
		return "read"
	case writer:
		return "write"
	case administrator:
		return "admin"
	}
	return "none"
}

// longestKey is far above a key's length; what is longer is not looked up.
const longestKey = 256

// admit refuses an address that sends too many requests.
func (a *api) admit(x *exchange) error {
	if wait := a.limits.take(x.address, a.now()); wait > 0 {
		return tooMany(wait, "too many requests from this address; the limit is %d per second", requestsPerSecond)
	}
	return nil
}

// authenticate finds who the request's key speaks for. An address that sent
// many wrong keys must wait, except for the key that it last used rightly: a
// stranger behind the same address can't lock the owner out.
func (a *api) authenticate(x *exchange) error {
	key := keyOf(x.r)
	if wait := a.limits.mayTry(x.address, key, a.now()); wait > 0 {
		return tooMany(wait, "too many wrong API keys from this address")
	}
	p, err := a.lookUp(x, key)
	switch code := workspace.ErrorCode(err); {
	case err == nil:
		x.principal = p
		a.limits.accepted(x.address, key, a.now())
	case code == workspace.Unauthorized:
		a.limits.refused(x.address, a.now())
	}
	return err
}

// lookUp asks the service about a key that can be one.
func (a *api) lookUp(x *exchange, key string) (workspace.Principal, error) {
	switch {
	case key == "":
		return workspace.Principal{}, workspace.Errorf(workspace.AuthRequired,
			"an API key is required: send it as \"Authorization: Bearer <api key>\"")
	case len(key) > longestKey:
		return workspace.Principal{}, workspace.Errorf(workspace.Unauthorized, "the API key is unknown or revoked")
	}
	return a.service.Authenticate(x.r.Context(), key)
}

// keyOf is the key that a request carries; empty where it has none. A request
// with an Authorization header of another scheme has no key there.
func keyOf(r *http.Request) string {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(key)
	}
	return r.Header.Get("X-API-Key")
}

// authorize refuses a key whose role is not enough for the route.
func (a *api) authorize(x *exchange) error {
	have, need := roleOf(x.principal.Role), x.route.least
	if need == anyone || have >= need {
		return nil
	}
	return workspace.Errorf(workspace.Forbidden, "this API key has the role %s; to %s it needs the role %s", have, x.route.action, need)
}
