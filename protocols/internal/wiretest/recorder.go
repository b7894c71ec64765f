package wiretest

import (
	"context"
	"sync"
)

// Recorder is a deploy queue, or who restores roles, that remembers what it is
// told. The zero value is ready.
type Recorder struct {
	mu        sync.Mutex
	before    func() error
	records   int
	announced []string
}

// Before has f run within each record from now on, which gives its error; nil
// lets them succeed.
func (r *Recorder) Before(f func() error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before = f
}

// Records is how many records, or restored roles, there were since the last
// call of Taken, with those that are under way.
func (r *Recorder) Records() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.records
}

// Taken is how many records there were, and what was announced, since it was
// called last.
func (r *Recorder) Taken() (records int, announced []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	records, announced = r.records, r.announced
	r.records, r.announced = 0, nil
	return records, announced
}

// Announce keeps the statement for Taken.
func (r *Recorder) Announce(_ int64, _ uint32, statement string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.announced = append(r.announced, statement)
}

// Record counts itself.
func (r *Recorder) Record(context.Context, int64) error {
	r.mu.Lock()
	r.records++
	before := r.before
	r.mu.Unlock()
	if before == nil {
		return nil
	}
	return before()
}

// RestoreRole counts itself as a record.
func (r *Recorder) RestoreRole(ctx context.Context, workspaceID int64) error {
	return r.Record(ctx, workspaceID)
}
