package admin

import "net/url"

// flag is a parameter of the request's address that is true or false, false
// where it is left out. What can't be understood is refused, since it may be
// what keeps a request from doing something.
func (x *exchange) flag(name string) (bool, error) {
	given, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		return false, badRequest("the parameters behind the ? of the address are malformed")
	}
	values, ok := given[name]
	switch {
	case !ok:
		return false, nil
	case len(values) == 1 && values[0] == "true":
		return true, nil
	case len(values) == 1 && values[0] == "false":
		return false, nil
	}
	return false, badRequest("parameter %q must be true or false, once", name)
}
