package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tenantsdb/tenantsdb/admin"
	"github.com/tenantsdb/tenantsdb/certs"
	"github.com/tenantsdb/tenantsdb/internal/catalog"
	"github.com/tenantsdb/tenantsdb/internal/schemafetch"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/proxy"
)

// adminPatience is how long requests to the admin API may take to end once the
// sessions have.
const adminPatience = 5 * time.Second

// installation is the running program.
type installation struct {
	config  Config
	live    *liveSettings
	log     *slog.Logger
	sockets sockets

	audit     *slog.Logger // every admin action and every schema change
	auditFile *auditFile

	registry *prometheus.Registry
	certs    *certs.Store
	service  *workspace.Service
	proxy    *proxy.Server
	admin    *http.Server

	engines   map[string]workspace.Engine // by the names of the physical servers
	protocols map[workspace.DatabaseType]protocol

	closers []func() error // run from the last to the first
	serving sync.WaitGroup
	failed  chan error // why a listener ended before its time
}

// observer is told what happens on the way.
type observer struct {
	// bootstrap is given the first project's secrets on first start.
	bootstrap func(workspace.Bootstrap) error
	// ready is called when everything listens.
	ready func() error
}

// run serves on the sockets, which it closes, until ctx ends; then it drains.
func run(ctx context.Context, c Config, live *liveSettings, log *slog.Logger, s sockets, o observer) (err error) {
	in := &installation{config: c, live: live, log: log, sockets: s, registry: newRegistry(), failed: make(chan error, 1)}
	in.onClose(func() error { s.close(); return nil })
	defer func() { err = errors.Join(err, in.close()) }()
	for _, step := range []func(context.Context) error{
		in.openAudit,
		in.openCertificates,
		func(ctx context.Context) error { return in.openService(ctx, o.bootstrap) },
		in.openProxy,
		in.openAdmin,
	} {
		if err := step(ctx); err != nil && ctx.Err() != nil {
			return nil // told to stop while it started
		} else if err != nil {
			return err
		}
	}
	in.serve()
	if err := o.ready(); err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	log.Info("ready", append([]any{"version", fullVersion(), "admin", s.admin[0].Addr().String()}, s.attributes()...)...)
	select {
	case err = <-in.failed:
	case <-ctx.Done():
	}
	return errors.Join(err, in.drain())
}

// onClose adds to what close undoes.
func (in *installation) onClose(f func() error) { in.closers = append(in.closers, f) }

func (in *installation) close() error {
	var all []error
	for i := len(in.closers) - 1; i >= 0; i-- {
		all = append(all, in.closers[i]())
	}
	return errors.Join(all...)
}

func (in *installation) openAudit(context.Context) error {
	f, err := openAuditFile(filepath.Join(in.config.DataDir, "audit.log"), in.log)
	if err != nil {
		return err
	}
	in.onClose(f.Close)
	in.auditFile = f
	in.audit = slog.New(slog.NewJSONHandler(f, nil))
	return nil
}

func (in *installation) openCertificates(ctx context.Context) (err error) {
	if in.config.TLS.Cert != "" {
		in.certs, err = certs.Files(in.config.TLS.Cert, in.config.TLS.Key, in.log)
	} else {
		in.certs, err = certs.Development(in.certsDir(), in.config.publicHosts(), in.log)
	}
	if err != nil {
		return err
	}
	registerCertificate(in.registry, in.certs)
	watchCtx, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { in.certs.Watch(watchCtx, 0) })
	watching.Go(func() { reloadOnHangup(watchCtx, in.certs, in.auditFile, in.live, in.log) })
	in.onClose(func() error { stop(); watching.Wait(); return nil })
	return nil
}

func (in *installation) certsDir() string { return filepath.Join(in.config.DataDir, "certs") }

func (in *installation) openService(ctx context.Context, keep func(workspace.Bootstrap) error) error {
	keyring, err := workspace.LoadKeyring(in.config.MasterKey, in.config.MasterKeyFile)
	if err != nil {
		return err
	}
	store, err := catalog.Open(ctx, filepath.Join(in.config.DataDir, catalogFile))
	if err != nil {
		return err
	}
	in.onClose(store.Close)
	if err := in.openEngines(); err != nil {
		return err
	}
	in.service, err = workspace.NewService(ctx, workspace.Config{
		Catalog:       store,
		Engines:       in.engines,
		Keyring:       keyring,
		Public:        in.public(),
		Sources:       schemaSources(),
		Documents:     &schemafetch.Fetcher{AllowPrivate: in.config.Imports.PrivateURLs},
		KeepBootstrap: keep,
		Log:           in.log,
		Audit:         in.audit,
	})
	if err != nil {
		return fmt.Errorf("start workspaces: %w", err)
	}
	in.onClose(func() error { in.service.Close(); return nil })
	return nil
}

func (in *installation) openEngines() error {
	in.engines = map[string]workspace.Engine{}
	for _, c := range in.config.Servers {
		e, err := newEngine(c, in.dialRedis, in.log)
		if err != nil {
			return err
		}
		in.onClose(func() error { e.Close(); return nil })
		in.engines[c.Name] = e
	}
	return nil
}

// public is where clients reach each protocol's listener.
func (in *installation) public() map[workspace.DatabaseType]workspace.Public {
	all := map[workspace.DatabaseType]workspace.Public{}
	for _, t := range offered() {
		listeners := in.sockets.clients[t]
		if len(listeners) == 0 {
			continue
		}
		c := in.config.listener(t)
		all[t] = workspace.Public{Host: c.PublicHost, Port: cmp.Or(c.PublicPort, port(listeners))}
	}
	return all
}

func (in *installation) openProxy(context.Context) error {
	in.proxy = proxy.New(in.log, proxy.NewMetrics(in.registry))
	in.service.SetSessions(in.proxy)
	return in.openProtocols()
}

func (in *installation) openAdmin(context.Context) error {
	handler := admin.New(admin.Config{
		Service:    in.service,
		Version:    fullVersion(),
		Log:        in.log,
		Audit:      in.audit,
		Metrics:    promhttp.HandlerFor(in.registry, promhttp.HandlerOpts{}),
		Registerer: in.registry,
	})
	in.admin = admin.NewServer(handler, in.log)
	in.admin.TLSConfig = in.certs.Config()
	return nil
}

// serve begins to accept on every socket.
func (in *installation) serve() {
	for t, listeners := range in.sockets.clients {
		for _, l := range listeners {
			in.accept(func() error { return in.proxy.Serve(l, string(t), in.protocols[t]) })
		}
	}
	for _, l := range in.sockets.admin {
		in.accept(func() error { return in.serveAdmin(l) })
	}
}

func (in *installation) accept(serve func() error) {
	in.serving.Go(func() {
		if err := serve(); err != nil {
			select {
			case in.failed <- err:
			default: // the first one ends the program
			}
		}
	})
}

func (in *installation) serveAdmin(l net.Listener) error {
	serve := in.admin.Serve
	if in.config.Admin.TLS {
		serve = func(l net.Listener) error { return in.admin.ServeTLS(l, "", "") }
	}
	if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the admin API: %w", err)
	}
	return nil
}

// drain lets sessions finish their statement and requests their answer; those
// that outlast their time are cut off, which is no failure of ours.
func (in *installation) drain() error {
	patience := in.live.drainTimeout()
	in.log.Info("draining", "timeout", patience)
	in.service.Drain()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := in.proxy.Shutdown(ctx); err != nil {
		in.log.Warn("sessions were cut off", "error", err)
	}
	ctx, cancel = context.WithTimeout(context.Background(), adminPatience)
	defer cancel()
	var err error
	if in.admin.Shutdown(ctx) != nil {
		in.log.Warn("requests to the admin API were cut off")
		err = in.admin.Close()
	}
	in.serving.Wait()
	in.log.Info("stopped")
	return err
}
