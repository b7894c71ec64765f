package wiretest

import (
	"bytes"
	"net"
	"time"
)

// Recording is a connection whose other end has said all it will: reads give
// it and then io.EOF, writes are kept in Written.
type Recording struct {
	*bytes.Reader
	Written []byte
}

// NewRecording is a connection on which said arrives.
func NewRecording(said []byte) *Recording { return &Recording{Reader: bytes.NewReader(said)} }

func (r *Recording) Write(b []byte) (int, error) {
	r.Written = append(r.Written, b...)
	return len(b), nil
}

func (r *Recording) Close() error                     { return nil }
func (r *Recording) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (r *Recording) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (r *Recording) SetDeadline(time.Time) error      { return nil }
func (r *Recording) SetReadDeadline(time.Time) error  { return nil }
func (r *Recording) SetWriteDeadline(time.Time) error { return nil }

var _ net.Conn = (*Recording)(nil)

// Sink is a connection that takes what is written and forgets it; its other end
// says nothing.
type Sink struct{ *Recording }

// NewSink makes one.
func NewSink() Sink { return Sink{NewRecording(nil)} }

func (Sink) Write(b []byte) (int, error) { return len(b), nil }
