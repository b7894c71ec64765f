package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

const (
	// probeEvery is how often the store is written for Ping at the most, since
	// anybody may ask for that at any rate.
	probeEvery = 5 * time.Second
	// probePatience is how long the probe may wait for other writers.
	probePatience = 10 * time.Second
	// probeSize is the room there must be beside the store: about what one
	// change takes. The store's log may have room of its own for a while after
	// the disk is full, and then loses the first change that is larger.
	probeSize = 256 << 10
)

// probe is whether the store can be written. The zero value has not looked yet.
type probe struct {
	mu      sync.Mutex
	running chan struct{} // closed when the one under way has ended; nil while none is
	ended   time.Time     // of the last one
	err     error         // what it found
	closed  bool
}

// result is what a probe found at most probeEvery ago. A disk may keep a write
// for ever, which ctx ends the wait for and not the write.
func (p *probe) result(ctx context.Context, look func() error) error {
	running, err := p.begin(look)
	if running == nil {
		return err
	}
	select {
	case <-running:
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("wait for a write to the catalog: %w", ctx.Err())
	}
}

// begin is the probe under way, which it begins where the last one is too old;
// nil where that one's err will do.
func (p *probe) begin(look func() error) (running chan struct{}, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return nil, os.ErrClosed
	case p.running == nil && !p.ended.IsZero() && time.Since(p.ended) < probeEvery:
		return nil, p.err
	case p.running == nil:
		p.running = make(chan struct{})
		go p.run(p.running, look)
	}
	return p.running, nil
}

func (p *probe) run(running chan struct{}, look func() error) {
	err := look()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err, p.ended, p.running = err, time.Now(), nil
	close(running)
}

// close waits for the probe under way; there is none later.
func (p *probe) close() {
	p.mu.Lock()
	p.closed = true
	running := p.running
	p.mu.Unlock()
	if running != nil {
		<-running
	}
}

// look writes one page of the store, and as much beside it as a change may take.
func (c *Catalog) look() error {
	ctx, cancel := context.WithTimeout(context.Background(), probePatience)
	defer cancel()
	if err := c.writePage(ctx); err != nil {
		return fmt.Errorf("write the catalog: %w", err)
	}
	if err := writeBeside(c.path + ".probe"); err != nil {
		return fmt.Errorf("write beside the catalog: %w", err)
	}
	return nil
}

// writePage changes a number in the store's header that is nobody's else: what
// leaves a page as it is would not be written.
func (c *Catalog) writePage(ctx context.Context) error {
	tx, err := c.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing; before, the other error says more
	var last int32
	if err := tx.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&last); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, last+1)); err != nil {
		return err
	}
	return tx.Commit()
}

// writeBeside makes a file of probeSize, and removes it.
func writeBeside(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, probeSize))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close(), os.Remove(path))
}
