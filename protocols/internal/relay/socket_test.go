package relay

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// pair is both ends of a connection, the first one wrapped.
func pair(t *testing.T, network, address string) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialled, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialled.Close(); accepted.Close() })
	return NewSocket(dialled), accepted
}

func bothNetworks(t *testing.T, test func(t *testing.T, near, far net.Conn)) {
	t.Run("tcp", func(t *testing.T) {
		near, far := pair(t, "tcp", "127.0.0.1:0")
		test(t, near, far)
	})
	t.Run("unix", func(t *testing.T) {
		near, far := pair(t, "unix", filepath.Join(t.TempDir(), "s"))
		test(t, near, far)
	})
}

func TestSocketCarriesWhatFillsTheKernelsBuffers(t *testing.T) {
	bothNetworks(t, func(t *testing.T, near, far net.Conn) {
		sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
		wrote := make(chan error, 1)
		go func() {
			_, err := near.Write(sent)
			wrote <- err
		}()
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(far, got); err != nil {
			t.Fatal(err)
		}
		if err := <-wrote; err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, sent) {
			t.Fatal("other bytes arrived than were written")
		}
		go func() {
			_, err := far.Write(sent)
			wrote <- err
		}()
		clear(got)
		if _, err := io.ReadFull(near, got); err != nil {
			t.Fatal(err)
		}
		if err := <-wrote; err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, sent) {
			t.Fatal("other bytes were read than were written")
		}
	})
}

func TestSocketEndsAsAConnectionDoes(t *testing.T) {
	bothNetworks(t, func(t *testing.T, near, far net.Conn) {
		if n, err := near.Read(nil); n != 0 || err != nil {
			t.Errorf("read of nothing: %d, %v", n, err)
		}
		if n, err := near.Write(nil); n != 0 || err != nil {
			t.Errorf("write of nothing: %d, %v", n, err)
		}
		if err := near.SetReadDeadline(time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read behind the deadline: %v", err)
		}
		if err := near.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := far.Write([]byte("last")); err != nil {
			t.Fatal(err)
		}
		far.Close()
		all, err := io.ReadAll(near)
		if string(all) != "last" || err != nil {
			t.Errorf("got %q, %v, want all of it and the end", all, err)
		}
		for err == nil {
			_, err = near.Write([]byte("to nobody")) // the first ones may still find room
		}
		if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("write to a closed connection: %v", err)
		}
		near.Close()
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read of a closed socket: %v", err)
		}
	})
}

func TestSocketInterruptsWhoWaits(t *testing.T) {
	bothNetworks(t, func(t *testing.T, near, _ net.Conn) {
		got := make(chan error, 2)
		go func() {
			_, err := near.Read(make([]byte, 1))
			got <- err
		}()
		go func() {
			_, err := near.Write(make([]byte, 64<<20))
			got <- err
		}()
		if err := near.SetDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := <-got; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %v, want the deadline", err)
			}
		}
	})
}

func TestSocketAllocatesNothing(t *testing.T) {
	bothNetworks(t, func(t *testing.T, near, far net.Conn) {
		out, in := []byte("ping"), make([]byte, 4)
		if n := testing.AllocsPerRun(100, func() {
			if _, err := near.Write(out); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(far, in); err != nil {
				t.Fatal(err)
			}
			if _, err := far.Write(in); err != nil {
				t.Fatal(err)
			}
			if _, err := near.Read(in); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v allocations a round trip", n)
		}
	})
}

func TestSocketIsForSocketsOnly(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	if NewSocket(near) != near {
		t.Error("a pipe within the program was wrapped")
	}
}

func TestWhatLiesReadyOnASocketComesInOnePiece(t *testing.T) {
	near, far := pair(t, "unix", filepath.Join(t.TempDir(), "s"))
	var w Window
	defer w.Release()
	for _, size := range []int{smallSize / 2, smallSize, smallSize + 1, largeSize / 2} {
		sent := pattern(size)
		if _, err := far.Write(sent); err != nil {
			t.Fatal(err)
		}
		if err := w.Fill(near); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(w.Bytes(), sent) {
			t.Errorf("of %d bytes at once: got %d", size, len(w.Bytes()))
		}
		w.Discard(len(w.Bytes()))
	}
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Fill(near); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: got %v, want EOF", err)
	}
}

func TestTheEndBehindAFullWindowIsSeenByTheNextRead(t *testing.T) {
	near, far := pair(t, "unix", filepath.Join(t.TempDir(), "s"))
	sent := pattern(smallSize)
	if _, err := far.Write(sent); err != nil {
		t.Fatal(err)
	}
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	var w Window
	defer w.Release()
	if err := w.Fill(near); err != nil || !bytes.Equal(w.Bytes(), sent) {
		t.Fatalf("got %d bytes, %v, want all %d", len(w.Bytes()), err, len(sent))
	}
	w.Discard(len(sent))
	if err := w.Fill(near); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: got %v, want EOF", err)
	}
}
