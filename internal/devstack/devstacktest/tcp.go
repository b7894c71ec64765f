package devstacktest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// TCP gives a server that listens on a unix socket a port on 127.0.0.1 for as
// long as the test.
func TCP(t testing.TB, socket string) (port int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			front, err := listener.Accept()
			if err != nil {
				return
			}
			work.Go(func() { join(front, socket) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close() // it ends the loop above
		work.Wait()
	})
	return listener.Addr().(*net.TCPAddr).Port
}

// join copies both ways until one side ends.
func join(front net.Conn, socket string) {
	defer front.Close()
	back, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer back.Close()
	ended := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{front, back}, {back, front}} {
		go func() {
			_, _ = io.Copy(way[0], way[1]) // either side may leave
			ended <- struct{}{}
		}()
	}
	<-ended
	_ = front.Close()
	_ = back.Close()
	<-ended
}
