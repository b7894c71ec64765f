package admin

import (
	"log/slog"
	"net/http"
	"time"
)

// NewServer makes the HTTP server of the API with bounds on what a client may
// hold open. ReadTimeout ends with the request's body. There is no bound on the
// whole answer, since a query may rightly take long; each write of an answer
// has its own. log takes net/http's own complaints.
func NewServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),

		// OPTIONS * is an unknown route like any other.
		DisableGeneralOptionsHandler: true,
	}
}
