package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// serve runs before existing servers, as the configuration says.
func serve(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	file := flags.String("config", "", "the configuration `file`, YAML; each key is also a variable TENANTSDB_…")
	if err := parse(flags, args, stderr); err != nil {
		return err
	}
	load := func() (Config, error) { return loadConfig(*file, os.Environ()) }
	c, err := load()
	if err != nil {
		return err
	}
	live, err := newLiveSettings(c, load)
	if err != nil {
		return err
	}
	log := newLogger(c.Log.Format, stderr, live)
	if err := makeDataDir(c.DataDir); err != nil {
		return err
	}
	if c.TLS.Cert == "" {
		log.Warn("no certificate is configured: clients are served one that only this installation's own authority vouches for")
	}
	s, err := openSockets(c)
	if err != nil {
		return err
	}
	return run(ctx, c, live, log, s, observer{
		bootstrap: func(b workspace.Bootstrap) error { return showBootstrap(stdout, b) },
		ready:     func() error { return nil },
	})
}

func newLogger(format string, to io.Writer, live *liveSettings) *slog.Logger {
	options := &slog.HandlerOptions{Level: &live.level, ReplaceAttr: withCauses}
	if format == "text" {
		return slog.New(slog.NewTextHandler(to, options))
	}
	return slog.New(slog.NewJSONHandler(to, options))
}

// withCauses has errors say in the log what their text keeps from clients.
func withCauses(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() != slog.KindAny {
		return a
	}
	if err, ok := a.Value.Any().(error); ok {
		a.Value = slog.StringValue(workspace.Causes(err))
	}
	return a
}

// showBootstrap prints the first project's secrets, which nobody can see
// again.
func showBootstrap(to io.Writer, b workspace.Bootstrap) error {
	_, err := fmt.Fprintf(to, `The project "default" was made. Keep what follows, it is not shown again:
  API key         %s
  proxy user      %s
  proxy password  %s
`, b.APIKey, b.ProjectID, b.ProxyPassword)
	return err
}
