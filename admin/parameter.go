package admin

import (
	"net/url"
	"strconv"
)

// parameter is a parameter of the request's address, which may come once at the
// most; given says whether it came.
func (x *exchange) parameter(name string) (value string, given bool, err error) {
	all, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		return "", false, badRequest("the parameters behind the ? of the address are malformed")
	}
	values, given := all[name]
	switch {
	case !given:
		return "", false, nil
	case len(values) > 1:
		return "", false, badRequest("parameter %q comes more than once", name)
	}
	return values[0], true, nil
}

// flag is a parameter that is true or false, false where it is left out. What
// can't be understood is refused, since it may be what keeps a request from doing
// something.
func (x *exchange) flag(name string) (bool, error) {
	value, given, err := x.parameter(name)
	switch {
	case err != nil:
		return false, err
	case !given || value == "false":
		return false, nil
	case value == "true":
		return true, nil
	}
	return false, badRequest("parameter %q must be true or false", name)
}

// number is a parameter that is a whole number from 1 to most, otherwise where it
// is left out.
func (x *exchange) number(name string, most, otherwise int) (int, error) {
	value, given, err := x.parameter(name)
	if err != nil || !given {
		return otherwise, err
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > most {
		return 0, badRequest("parameter %q must be a whole number from 1 to %d", name, most)
	}
	return n, nil
}
