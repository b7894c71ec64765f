package relay

import (
	"io"
	"net"
	"os"
	"syscall"
)

// direct says that this system's sockets are read and written by Socket.
const direct = true

// Read reads once.
func (s *Socket) Read(p []byte) (int, error) {
	t := &s.reads
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	t.p, t.n, t.errno = p, 0, 0
	err := s.raw.Read(t.step)
	t.p = nil
	switch {
	case err != nil:
		return 0, err
	case t.errno != 0:
		return 0, s.failed("read", t.errno)
	case t.n == 0:
		return 0, io.EOF
	}
	return t.n, nil
}

// ReadNow reads what is there already. It gives 0 where there is nothing; why,
// the next Read says.
func (s *Socket) ReadNow(p []byte) int {
	t := &s.reads
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(p) == 0 {
		return 0
	}
	t.p, t.n, t.errno = p, 0, 0
	// Its error is that of the next Read too.
	_ = s.raw.Read(t.now)
	t.p = nil
	return t.n
}

// Write writes all of p, waiting for room as often as it takes.
func (s *Socket) Write(p []byte) (int, error) {
	t := &s.writes
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	t.p, t.n, t.errno = p, 0, 0
	err := s.raw.Write(t.step)
	t.p = nil
	if err == nil && t.errno != 0 {
		err = s.failed("write", t.errno)
	}
	return t.n, err
}

func (s *Socket) failed(call string, errno syscall.Errno) error {
	return &net.OpError{
		Op:     call,
		Net:    s.LocalAddr().Network(),
		Source: s.LocalAddr(),
		Addr:   s.RemoteAddr(),
		Err:    os.NewSyscallError(call, errno),
	}
}

// read is false where there is nothing to read yet.
func (t *transfer) read(fd uintptr) bool {
	for {
		n, errno := readOnce(fd, t.p)
		switch errno {
		case 0:
			t.n = n
			return true
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return false
		}
		t.errno = errno
		return true
	}
}

// readNow reads once, if there is something.
func (t *transfer) readNow(fd uintptr) bool {
	t.read(fd)
	return true
}

// write is false where there is no room for the rest yet.
func (t *transfer) write(fd uintptr) bool {
	for t.n < len(t.p) {
		n, errno := writeOnce(fd, t.p[t.n:])
		switch errno {
		case 0:
			t.n += n
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			t.errno = errno
			return true
		}
	}
	return true
}
