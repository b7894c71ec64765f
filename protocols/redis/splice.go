package redis

import "io"

// splice is a window of bytes on its way to the other side, with what is put in
// and left out. Where nothing is, the window itself is written.
type splice struct {
	from int    // what was neither written nor dropped of the window starts here
	out  []byte // what is to be written before it
}

// maxKept is the longest out that is kept for reuse.
const maxKept = 4 << 10

// cut moves what is to be written before at out of the window.
func (s *splice) cut(b []byte, at int) {
	s.out = append(s.out, b[s.from:at]...)
	s.from = at
}

// drop leaves out the window up to at. What is before what is left out must
// have been cut.
func (s *splice) drop(at int) { s.from = at }

// write writes everything up to at.
func (s *splice) write(w io.Writer, b []byte, at int) error {
	if len(s.out) > 0 {
		s.cut(b, at)
		_, err := w.Write(s.out)
		if cap(s.out) > maxKept {
			s.out = nil
		}
		s.out = s.out[:0]
		return err
	}
	if at == s.from {
		return nil
	}
	_, err := w.Write(b[s.from:at])
	s.from = at
	return err
}
