package relay

import "net"

// Prefixed is conn with what was read of it, to tell TLS from plaintext, given
// back: reads begin with those bytes, which it keeps.
func Prefixed(conn net.Conn, read []byte) net.Conn { return &prefixed{conn, read} }

type prefixed struct {
	net.Conn
	rest []byte
}

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.rest) > 0 {
		n := copy(b, p.rest)
		p.rest = p.rest[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}
