package main

import (
	"cmp"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// mongoURI is what MongoDB's drivers take: the URI of the configuration, or one
// made of its other keys, with the administrator's login in it.
func (c PhysicalConfig) mongoURI() string {
	login := ""
	if c.User != "" {
		login = url.UserPassword(c.User, c.Password).String() + "@"
	}
	if c.URI != "" {
		scheme, rest, _ := strings.Cut(c.URI, "://")
		return scheme + "://" + login + rest
	}
	options := url.Values{"directConnection": {"true"}}
	if c.Socket != "" {
		return "mongodb://" + login + url.PathEscape(c.Socket) + "/?" + options.Encode()
	}
	switch c.TLS {
	case "off":
	case "unverified":
		options.Set("tls", "true")
		options.Set("tlsInsecure", "true")
	default:
		options.Set("tls", "true")
		if c.CA != "" {
			options.Set("tlsCAFile", c.CA)
		}
	}
	host := net.JoinHostPort(c.Host, strconv.Itoa(cmp.Or(c.Port, c.defaultPort())))
	return "mongodb://" + login + host + "/?" + options.Encode()
}

// uriHasLogin says whether a URI names a user, and so whether none may be given
// beside it.
func uriHasLogin(uri string) bool {
	_, rest, _ := strings.Cut(uri, "://")
	hosts, _, _ := strings.Cut(rest, "/")
	return strings.Contains(hosts, "@")
}
