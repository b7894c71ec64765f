package proxy

import (
	"context"
	"errors"
	"net"
	"runtime/debug"
	"time"
)

const (
	firstPause = 5 * time.Millisecond
	maxPause   = time.Second
)

// accept gives the next connection. Running out of file descriptors and
// connections reset before they were accepted pass; accept pauses and tries
// again, and never spins. It tells failed of each error, and whether it is the
// first in a row.
func accept(ctx context.Context, l net.Listener, failed func(err error, first bool)) (net.Conn, error) {
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		conn, err := l.Accept()
		if err == nil {
			return conn, nil
		}
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		failed(err, pause == firstPause)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, err
		}
	}
}

func stack() string { return string(debug.Stack()) }
