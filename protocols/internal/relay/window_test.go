package relay

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

// pattern is n bytes of which no two places look alike.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

func TestAStreamComesOutAsItWentIn(t *testing.T) {
	sent := pattern(300 << 10)
	readers := map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "one byte": iotest.OneByteReader, "half": iotest.HalfReader,
		"data with its error": iotest.DataErrReader,
	}
	for name, reader := range readers {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			src := reader(bytes.NewReader(sent))
			var w Window
			defer w.Release()
			var got []byte
			for {
				if err := w.Fill(src); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				n := len(w.Bytes())
				if random.IntN(3) == 0 {
					n = random.IntN(n + 1) // the rest waits for more
				}
				got = append(got, w.Bytes()[:n]...)
				w.Discard(n)
				if err := w.Hold(len(w.Bytes())+1, 1<<20); err != nil {
					t.Fatal(err)
				}
			}
			got = append(got, w.Bytes()...)
			if !bytes.Equal(got, sent) {
				t.Errorf("got %d bytes that differ from the %d sent", len(got), len(sent))
			}
		})
	}
}

func TestHoldMakesRoomForAWholeFrame(t *testing.T) {
	for _, size := range []int{1, smallSize, smallSize + 1, largeSize, largeSize + 1, 1 << 20} {
		sent := pattern(size + 10)
		src := iotest.HalfReader(bytes.NewReader(sent))
		var w Window
		if err := w.Fill(src); err != nil {
			t.Fatal(err)
		}
		w.Discard(1)
		if err := w.Hold(size, 1<<20); err != nil {
			t.Fatalf("hold %d: %v", size, err)
		}
		for len(w.Bytes()) < size {
			if err := w.Fill(src); err != nil {
				t.Fatalf("size %d, have %d: %v", size, len(w.Bytes()), err)
			}
		}
		if !bytes.Equal(w.Bytes()[:size], sent[1:size+1]) {
			t.Errorf("size %d: the frame differs", size)
		}
		w.Release()
	}
}

func TestHoldIsBounded(t *testing.T) {
	var w Window
	if err := w.Fill(bytes.NewReader(pattern(10))); err != nil {
		t.Fatal(err)
	}
	if err := w.Hold(1<<20+1, 1<<20); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	if got := w.Bytes(); !bytes.Equal(got, pattern(10)) {
		t.Errorf("after the refusal: got %v", got)
	}
}

func TestAPausedStreamPinsNoLargeBuffer(t *testing.T) {
	var w Window
	src := bytes.NewReader(pattern(4 * largeSize))
	for src.Len() > 0 {
		if err := w.Fill(src); err != nil {
			t.Fatal(err)
		}
		w.Discard(len(w.Bytes()))
	}
	for range 2 { // a short read says that the burst is over
		if err := w.Fill(bytes.NewReader([]byte("x"))); err != nil {
			t.Fatal(err)
		}
		w.Discard(1)
	}
	if w.borrowed != nil || len(w.buf) > smallSize {
		t.Errorf("%d bytes are pinned", len(w.buf))
	}
}

func TestErrorsComeAfterTheBytesBeforeThem(t *testing.T) {
	broken := errors.New("broken")
	src := io.MultiReader(bytes.NewReader([]byte("last words")), iotest.ErrReader(broken))
	var w Window
	if err := w.Fill(src); err != nil || string(w.Bytes()) != "last words" {
		t.Fatalf("got %q, %v", w.Bytes(), err)
	}
	if err := w.Fill(src); !errors.Is(err, broken) {
		t.Errorf("got %v, want broken", err)
	}
}
