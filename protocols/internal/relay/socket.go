package relay

import (
	"errors"
	"net"
	"sync"
	"syscall"
)

// Socket is a connection whose reads and writes cost the runtime nothing beside
// the system call. The socket is non-blocking, so a call can't block a thread,
// and the scheduler need not be told of it: told of each, it has a monitor wake
// up and take the processor away from calls that another process has
// interrupted, which on a busy machine costs more than the calls. Waiting is the
// runtime's as ever, and so are deadlines and Close.
type Socket struct {
	net.Conn
	raw    syscall.RawConn
	reads  transfer
	writes transfer
}

// transfer is the system calls of one direction, one Read or Write at a time.
type transfer struct {
	mu    sync.Mutex
	step  func(fd uintptr) bool // made once, so that no call allocates
	now   func(fd uintptr) bool // of the reads, as step
	p     []byte
	n     int
	errno syscall.Errno
}

// NewSocket is conn itself where it is no socket of the system.
func NewSocket(conn net.Conn) net.Conn {
	sc, ok := conn.(syscall.Conn)
	if !ok || !direct {
		return conn
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return conn
	}
	s := &Socket{Conn: conn, raw: raw}
	s.reads.step, s.reads.now, s.writes.step = s.reads.read, s.reads.readNow, s.writes.write
	return s
}

// SyscallConn is the connection's own.
func (s *Socket) SyscallConn() (syscall.RawConn, error) { return s.raw, nil }

// CloseWrite says to the other end that nothing more comes; it may still answer.
func (s *Socket) CloseWrite() error {
	half, ok := s.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}
