package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	errMended = errors.New("the server is mended")
	errOther  = errors.New("another reason")
)

// lived is a session of which a test says what its directions do. It notes what
// its life asks of it.
type lived struct {
	mu          sync.Mutex
	life        Life
	client      net.Conn // the other ends
	server      net.Conn
	front, back net.Conn
	frontend    func() error
	backend     func() error
	patience    Patience

	asked []string
	cause error
}

// newLived is a session whose directions wait for a byte.
func newLived(t *testing.T) *lived {
	s := &lived{patience: NoLonger}
	s.front, s.client = net.Pipe()
	s.back, s.server = net.Pipe()
	t.Cleanup(func() {
		for _, conn := range []net.Conn{s.front, s.client, s.back, s.server} {
			conn.Close()
		}
	})
	s.frontend = func() error { return read(s.front) }
	s.backend = func() error { return read(s.back) }
	s.life.Begin(&s.mu, s.front, s.back)
	return s
}

func read(conn net.Conn) error {
	_, err := conn.Read(make([]byte, 1))
	return err
}

func (s *lived) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, what)
}

func (s *lived) PumpFrontend(context.Context) error { return s.frontend() }
func (s *lived) PumpBackend(context.Context) error  { return s.backend() }
func (s *lived) Lose()                              { s.note("lose") }
func (s *lived) Dispose()                           { s.note("dispose") }

func (s *lived) Leave(error) Patience {
	s.asked = append(s.asked, "leave")
	return s.patience
}

func (s *lived) LastWords(cause error) {
	s.note("last words")
	s.cause = cause
}

// locked does what the caller of a life's method must hold the lock for.
func (s *lived) locked(do func(*Life)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do(&s.life)
}

func (s *lived) run() error { return s.life.Run(context.Background(), s) }

func TestALifeEndsWithEitherDirection(t *testing.T) {
	for name, test := range map[string]struct {
		given     func(*lived)
		want      error
		clientWas bool // that ended it
	}{
		"the backend's, while the client is read": {given: func(s *lived) {
			s.backend = func() error { return ErrBackendGone }
		}, want: ErrBackendGone},
		"the backend's, while it is written and does not read": {given: func(s *lived) {
			s.backend = func() error { return ErrBackendGone }
			s.frontend = func() error { return WriteBackend(s.back, []byte("x")) }
		}, want: ErrBackendGone},
		"the frontend's, while the backend is read": {given: func(s *lived) {
			s.frontend = func() error { return io.EOF }
		}, want: io.EOF, clientWas: true},
		"a goodbye": {given: func(s *lived) {
			s.frontend = func() error { return ErrGoodbye }
		}, want: ErrGoodbye, clientWas: true},
		"an error at the wire": {given: func(s *lived) {
			s.frontend = func() error { return io.ErrUnexpectedEOF }
		}, want: io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newLived(t)
				test.given(s)
				err := s.run()
				if s.cause != test.want {
					t.Errorf("last words: got %v, want %v", s.cause, test.want)
				}
				if !test.clientWas && err != test.want || test.clientWas && err != nil {
					t.Errorf("Run: got %v", err)
				}
				if want := []string{"leave", "dispose", "last words"}; !slices.Equal(s.asked, want) {
					t.Errorf("got %v, want %v", s.asked, want)
				}
			})
		})
	}
}

func TestPatienceWithABackendWhoseClientIsDone(t *testing.T) {
	for name, test := range map[string]struct {
		patience Patience
		left     error
		speaks   time.Duration // after the client left
		heard    bool
		lasts    time.Duration
	}{
		"none":                               {NoLonger, ErrGoodbye, time.Second, false, 0},
		"for its replies":                    {ForReplies, ErrGoodbye, time.Hour, true, time.Hour},
		"for last words that come":           {ForLastWords, io.EOF, LastWordsTimeout - 1, true, LastWordsTimeout - 1},
		"for last words that do not":         {ForLastWords, io.EOF, time.Hour, false, LastWordsTimeout},
		"for last words when it was stopped": {ForLastWords, &BackendWriteError{os.ErrDeadlineExceeded}, time.Second, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newLived(t)
				s.patience = test.patience
				s.frontend = func() error {
					if errors.Is(test.left, os.ErrDeadlineExceeded) {
						s.locked((*Life).Interrupt)
					}
					return test.left
				}
				var heard error
				s.backend = func() error {
					heard = read(s.back)
					return heard
				}
				speaks := time.AfterFunc(test.speaks, func() { _, _ = s.server.Write([]byte("x")) })
				defer speaks.Stop()
				began := time.Now()
				_ = s.run()
				if (heard == nil) != test.heard {
					t.Errorf("the backend: got %v, want heard %v", heard, test.heard)
				}
				if lasted := time.Since(began); lasted != test.lasts {
					t.Errorf("lasted %v, want %v", lasted, test.lasts)
				}
			})
		})
	}
}

func TestOthersEndALife(t *testing.T) {
	for name, test := range map[string]struct {
		stops []func(*Life)
		want  error // nil: it goes on
	}{
		"drained when idle":     {[]func(*Life){drain(true)}, errMended},
		"drained when busy":     {[]func(*Life){drain(false)}, nil},
		"cut":                   {[]func(*Life){cutFor(errOther)}, errOther},
		"cut while it drains":   {[]func(*Life){drain(false), cutFor(errOther)}, errOther},
		"drained when cut":      {[]func(*Life){cutFor(errOther), drain(true)}, errOther},
		"cut twice":             {[]func(*Life){cutFor(errOther), cutFor(errMended)}, errOther},
		"ended and interrupted": {[]func(*Life){func(l *Life) { l.End(errOther); l.Interrupt() }}, errOther},
	} {
		for _, before := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newLived(t)
					stop := func() {
						for _, f := range test.stops {
							s.locked(f)
						}
					}
					if before {
						stop()
					}
					var err error
					ended := make(chan struct{})
					go func() {
						defer close(ended)
						err = s.run()
					}()
					synctest.Wait()
					if !before {
						stop()
					}
					synctest.Wait()
					select {
					case <-ended:
						if err != test.want {
							t.Errorf("got %v, want %v", err, test.want)
						}
					default:
						if test.want != nil {
							t.Errorf("before Run %v: goes on", before)
						}
					}
					s.client.Close()
					s.server.Close()
					<-ended
				})
			})
		}
	}
}

func drain(idle bool) func(*Life)  { return func(l *Life) { l.Drain(errMended, idle) } }
func cutFor(why error) func(*Life) { return func(l *Life) { l.Cut(why) } }

// A client that left by itself hears nothing of why others end its session.
func TestAGoodbyeIsNotOverruled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newLived(t)
		s.frontend = func() error { return ErrGoodbye }
		s.patience = ForReplies
		s.backend = func() error {
			synctest.Wait() // until the client has left
			s.locked(cutFor(errMended))
			return read(s.back)
		}
		if err := s.run(); err != nil || s.cause != ErrGoodbye {
			t.Errorf("got %v and %v for the client, want its goodbye", err, s.cause)
		}
	})
}

// A client that does not read must not hold the end.
func TestAClientThatDoesNotReadHoldsNoEnd(t *testing.T) {
	for name, stop := range map[string]func(*Life){"cut": cutFor(errMended), "drained": drain(true)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newLived(t)
				s.backend = func() error {
					_, err := s.front.Write([]byte("x"))
					return err
				}
				began := time.Now()
				go func() { s.locked(stop) }()
				if err := s.run(); err != errMended {
					t.Errorf("got %v, want %v", err, errMended)
				}
				if lasted := time.Since(began); lasted != LastWordsTimeout {
					t.Errorf("lasted %v, want %v", lasted, LastWordsTimeout)
				}
			})
		})
	}
}

func TestAwaitWaitsForTheOtherDirectionOrTheEnd(t *testing.T) {
	for name, test := range map[string]struct {
		ends bool
		want bool
	}{
		"room":    {ends: false, want: true},
		"the end": {ends: true, want: false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newLived(t)
				owed, looks, got := 2, 0, false
				s.frontend = func() error {
					s.locked(func(l *Life) {
						got = l.Await(func() bool {
							looks++
							return owed > 0
						})
					})
					return ErrGoodbye
				}
				s.backend = func() error {
					for range 2 {
						synctest.Wait()
						if test.ends {
							return ErrBackendGone
						}
						s.locked(func(l *Life) {
							owed--
							l.Wake()
						})
					}
					return read(s.back)
				}
				_ = s.run()
				if got != test.want {
					t.Errorf("got %v, want %v", got, test.want)
				}
				if want := 3; !test.ends && looks != want {
					t.Errorf("looked %d times, want %d", looks, want)
				}
			})
		})
	}
}

func TestAPanicEndsItsSessionFirst(t *testing.T) {
	for name, plant := range map[string]func(*lived){
		"frontend": func(s *lived) { s.frontend = func() error { panic("planted") } },
		"backend":  func(s *lived) { s.backend = func() error { panic("planted") } },
	} {
		t.Run(name, func(t *testing.T) {
			s := newLived(t)
			plant(s)
			defer func() {
				if p, ok := recover().(*Panic); !ok || p.Value != "planted" {
					t.Errorf("got %v, want the panic", p)
				}
				if !slices.Contains(s.asked, "lose") || !slices.Contains(s.asked, "dispose") || !slices.Contains(s.asked, "last words") {
					t.Errorf("got %v, want the backend lost, and all cleaned up", s.asked)
				}
			}()
			_ = s.run()
		})
	}
}
