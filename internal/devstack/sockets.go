package devstack

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// socketFolder is where a server that keeps its state in dir has its socket:
// there too, unless the socket's path would be too long, and then in the
// temporary folder, the same at each start, so that leftovers are found.
func socketFolder(dir string) string {
	inside := filepath.Join(dir, "socket")
	if len(inside) <= longestSocketDir {
		return inside
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("tenantsdb-%x", sha256.Sum256([]byte(dir)))[:len("tenantsdb-")+16])
}

// ask has one question, whether a server is ready, put to its socket in time.
func ask(ctx context.Context, socket string, question func(net.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	return question(conn)
}

// endOrphan stops a server that is not our child, and that writes all it has on
// SIGTERM, and waits for its end.
func endOrphan(ctx context.Context, pid int, data string) error {
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop old server %d: %w", pid, err)
	}
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for runsIn(pid, data) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for old server %d: %w", pid, ctx.Err())
		case <-ticker.C:
		}
	}
	return nil
}
