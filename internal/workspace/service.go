package workspace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	recordEvery   = 30 * time.Second
	engineTimeout = time.Minute     // of one piece of work on a physical server that others wait behind
	checkTimeout  = 5 * time.Second // of one health check
)

// Service is the only writer of state. It is safe for concurrent use; there is
// one on a catalog at a time.
type Service struct {
	catalog Catalog
	servers map[string]*server
	keyring *Keyring
	public  map[DatabaseType]Public

	sources   map[DatabaseType]SchemaSource
	documents Downloader

	log   *slog.Logger
	audit *slog.Logger
	now   func() time.Time

	directory *directory
	decoy     decoy

	revoking sync.Mutex // held while a key is revoked
	imports  imports    // of data, under way

	mu       sync.Mutex // guards what follows
	sessions Sessions
	closed   bool
	draining bool

	background context.Context    // of the work that no request waits for
	stop       context.CancelFunc // ends background
	work       sync.WaitGroup     // keepUp, and the recorders and deployments under way
}

// NewService reads the catalog, prepares the engines, finishes or undoes what a
// crash left half-done and starts to bring all queues up to date. An engine
// that can't be reached does not stop it: its work is taken up when it is back.
func NewService(ctx context.Context, c Config) (*Service, error) {
	s := &Service{
		catalog:   c.Catalog,
		servers:   map[string]*server{},
		keyring:   c.Keyring,
		public:    maps.Clone(c.Public),
		sources:   c.Sources,
		documents: c.Documents,
		log:       c.Log,
		audit:     c.Audit,
		now:       c.Now,
		directory: newDirectory(),
		imports:   imports{runs: map[int64]*runningImport{}},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.audit == nil {
		s.audit = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	for name, e := range c.Engines {
		s.servers[name] = &server{name: name, engine: e, deploying: make(chan struct{}, parallelDeployments)}
	}
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	if err := s.bootstrap(ctx, c.KeepBootstrap); err != nil {
		return nil, fmt.Errorf("make the first project: %w", err)
	}
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	s.finish(ctx)
	s.keepReaders(ctx)
	s.finishImports(ctx)

	every, watchEvery := cmp.Or(c.RecordEvery, recordEvery), cmp.Or(c.RestoreEvery, restoreEvery)
	s.background, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	if err := s.resume(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("resume deployments: %w", err)
	}
	s.work.Go(func() { s.keepUp(s.background, every) })
	for _, v := range s.servers {
		if _, ok := v.engine.(Restorer); ok {
			s.work.Go(func() { s.keepRoles(s.background, v, watchEvery) })
		}
	}
	return s, nil
}

// Close ends the work in the background and waits for it. It leaves Catalog and
// Engines to their owner.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.work.Wait()
}

// begin starts work that Close waits for; false after Close.
func (s *Service) begin(work func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.work.Go(work)
	return true
}

// SetSessions tells the Service of the proxy that serves its logins; it is
// called once, before the first Delete.
func (s *Service) SetSessions(x Sessions) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions = x
}

// load fills the directory. It opens every secret, so that a wrong master key
// is found at the start and not at some login.
func (s *Service) load(ctx context.Context) error {
	kept, err := s.catalog.Secret(ctx, "decoy", s.keyring.seal("secret/decoy", randomHex(32)))
	if err != nil {
		return fmt.Errorf("read the installation's secret: %w", err)
	}
	key, err := s.keyring.open("secret/decoy", kept)
	if err != nil {
		return fmt.Errorf("open the installation's secret: %w", err)
	}
	s.decoy = decoy{key: []byte(key)}
	return errors.Join(s.loadProjects(ctx), s.loadWorkspaces(ctx), s.loadTenants(ctx), s.loadReaders(ctx))
}

func (s *Service) loadWorkspaces(ctx context.Context) error {
	all, err := s.catalog.Workspaces(ctx)
	if err != nil {
		return err
	}
	for _, w := range all {
		password, err := s.keyring.open(secretRow(w.Server, w.Role), w.RoleSecret)
		if err != nil {
			return fmt.Errorf("open the role password of workspace %d: %w", w.ID, err)
		}
		s.directory.add(s.hold(w, password))
	}
	return nil
}

// hold makes the in-memory side of w.
func (s *Service) hold(w Workspace, password string) *held {
	h := &held{
		server: s.servers[w.Server],
		target: Target{Database: w.Database, Role: w.Role, Password: password},
		live:   NewLive(w),
		user:   w.ProjectID,
		w:      w,
	}
	if u := s.directory.user(h.user); u != nil {
		h.target.Client = clientLogin(w, u)
	}
	if w.State == Deleting {
		h.live.SetDeleted()
	}
	if h.server == nil {
		s.log.Warn("database on a server that is not configured", "workspace", w.Name, "server", w.Server)
	}
	return h
}

// clientLogin is how w's clients, who are u, log in at the proxy.
func clientLogin(w Workspace, u *heldUser) ClientLogin {
	return ClientLogin{User: connection(w, u.user, Public{}, "").User, Password: u.password}
}

// prepare prepares the engines that are not yet, all at once, so that those
// which can't be reached are waited for together. They are left for later; any
// other failure is the operator's to mend.
func (s *Service) prepare(ctx context.Context) error {
	servers := slices.Collect(maps.Values(s.servers))
	errs := make([]error, len(servers))
	var wg sync.WaitGroup
	for i, v := range servers {
		wg.Go(func() { errs[i] = s.prepareServer(ctx, v) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// prepareServer is prepare for one of them.
func (s *Service) prepareServer(ctx context.Context, v *server) error {
	err := v.prepare(ctx)
	if err == nil {
		err = s.restoreRoles(ctx, v)
	}
	switch {
	case err == nil:
		return nil
	case ErrorCode(err) != Unavailable:
		return fmt.Errorf("prepare %s: %w", v.label(), err)
	}
	s.log.Warn("server can't be reached", "server", v.label(), "error", err)
	return nil
}

// errDraining is why a proxy that answers every request is not ready.
var errDraining = errors.New("shutting down: sessions finish their statement")

// Drain makes Ready say that new clients should go elsewhere.
func (s *Service) Drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = true
}

func (s *Service) isDraining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

// Ready checks the catalog and each engine, all at once; once the proxy drains
// that alone is told.
func (s *Service) Ready(ctx context.Context) []Check {
	if s.isDraining() {
		return []Check{{Name: "draining", Err: errDraining}}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	pings := map[string]func(context.Context) error{}
	for _, v := range s.servers {
		pings[v.label()] = v.engine.Ping
	}
	names := append([]string{"catalog"}, slices.Sorted(maps.Keys(pings))...)
	pings["catalog"] = s.catalog.Ping

	checks := make([]Check, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			start := time.Now()
			err := pings[name](ctx)
			checks[i] = Check{Name: name, Err: err, Took: time.Since(start)}
		})
	}
	wg.Wait()
	return checks
}
