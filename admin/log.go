package admin

import (
	"log/slog"
	"net/http"
	"time"
)

// logAccess writes the one line of a request. It has no query string, no body
// and no header: keys and literals live there.
func (a *api) logAccess(x *exchange, took time.Duration, aborted bool) {
	a.log.LogAttrs(x.r.Context(), slog.LevelInfo, "request served",
		slog.String("request_id", x.id),
		slog.String("address", x.address.String()),
		slog.String("method", shorten(x.r.Method)),
		slog.String("path", shorten(x.r.URL.Path)),
		slog.String("key_id", x.principal.KeyID),
		slog.Int("status", x.status),
		slog.String("code", x.code),
		slog.Int64("bytes", x.bytes),
		slog.Duration("duration", took),
		slog.Bool("aborted", aborted),
	)
}

// logAction writes the audit record of an action (all but reads) and of a
// request whose key was refused: who, what, where and how it ended. The text
// of a query is not in it, since it can hold secrets.
func (a *api) logAction(x *exchange, aborted bool) {
	refused := x.status == http.StatusUnauthorized || x.status == http.StatusForbidden
	acted := x.route.path != "" && x.route.method != http.MethodGet
	if !acted && !refused {
		return
	}
	action := x.route.action
	if action == "" {
		action = "unknown"
	}
	attrs := []slog.Attr{
		slog.String("action", action),
		slog.String("key_id", x.principal.KeyID),
		slog.String("project_id", x.principal.ProjectID),
		slog.String("workspace", shorten(x.workspace)),
		slog.String("outcome", x.code),
		slog.Bool("aborted", aborted),
		slog.String("address", x.address.String()),
		slog.String("request_id", x.id),
	}
	a.audit.LogAttrs(x.r.Context(), slog.LevelInfo, "admin action", append(attrs, x.noted...)...)
}

// shorten bounds a client's text for the log.
func shorten(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

// mostNoted is how many names of a list an audit record has.
const mostNoted = 100

// shortenAll bounds a client's list of names for the log.
func shortenAll(names []string) []string {
	noted := make([]string, 0, min(len(names), mostNoted+1))
	for _, name := range names[:min(len(names), mostNoted)] {
		noted = append(noted, shorten(name))
	}
	if len(names) > mostNoted {
		noted = append(noted, "…")
	}
	return noted
}
