package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tenantsdb/tenantsdb/certs"
)

// liveSettings are those that change without a restart.
type liveSettings struct {
	level slog.LevelVar
	drain atomic.Int64 // nanoseconds
	// load reads the configuration again; nil where there is none to read.
	load func() (Config, error)
	// started is the configuration that everything else was made of.
	started Config
}

func newLiveSettings(c Config, load func() (Config, error)) (*liveSettings, error) {
	l := &liveSettings{load: load, started: c}
	return l, l.apply(c)
}

func (l *liveSettings) drainTimeout() time.Duration { return time.Duration(l.drain.Load()) }

func (l *liveSettings) apply(c Config) error {
	level, err := logLevel(c.Log.Level)
	if err != nil {
		return err
	}
	l.level.Set(level)
	l.drain.Store(int64(c.Limits.DrainTimeout))
	return nil
}

// reload takes over what can change now and says so if there is more: a
// configuration that is no good changes nothing.
func (l *liveSettings) reload(log *slog.Logger) {
	if l.load == nil {
		return
	}
	c, err := l.load()
	if err == nil {
		err = l.apply(c)
	}
	if err != nil {
		log.Error("settings kept because the new ones are no good", "error", err)
		return
	}
	log.Info("settings reloaded", "log_level", c.Log.Level, "drain_timeout", c.Limits.DrainTimeout)
	c.Log.Level, c.Limits.DrainTimeout = l.started.Log.Level, l.started.Limits.DrainTimeout
	if !reflect.DeepEqual(c, l.started) {
		log.Warn("settings other than log.level and limits.drain_timeout have changed and need a restart")
	}
}

// reloadOnHangup reloads certificates and settings at each SIGHUP, and opens the
// audit log anew, until ctx ends.
func reloadOnHangup(ctx context.Context, store *certs.Store, audit *auditFile, live *liveSettings, log *slog.Logger) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
		}
		if err := store.Reload(); err != nil {
			log.Error("certificate kept because the new one is no good", "error", err)
		}
		if err := audit.reopen(); err != nil {
			log.Error("audit log kept because no new one can be opened", "error", err)
		}
		live.reload(log)
	}
}
