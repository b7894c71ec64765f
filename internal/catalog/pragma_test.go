package catalog

import (
	"path/filepath"
	"testing"
)

// What is acknowledged must survive a loss of power, so the pragmas are part of
// the promise and not of the tuning.
func TestWriterKeepsEachCommit(t *testing.T) {
	c, err := Open(t.Context(), filepath.Join(t.TempDir(), "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for pragma, want := range map[string]string{
		"journal_mode": "wal",
		"synchronous":  "2", // FULL
		"foreign_keys": "1",
		"busy_timeout": "10000",
	} {
		var got string
		if err := c.writer.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s is %s, want %s", pragma, got, want)
		}
	}
	if _, err := c.reader.ExecContext(t.Context(), `DELETE FROM secrets`); err == nil {
		t.Error("a reader may write, want an error")
	}
}
