package test

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// terminal is a program that somebody types to, whose screen is kept.
type terminal struct {
	t      testing.TB
	keys   io.Writer
	screen chan string // what came, piece by piece
}

// openTerminal runs a program at a terminal of its own, which script makes.
func openTerminal(t testing.TB, program ...string) *terminal {
	t.Helper()
	quoted := make([]string, len(program))
	for i, word := range program {
		quoted[i] = "'" + word + "'"
	}
	cmd := exec.CommandContext(t.Context(), "script", "-qfec", "stty cols 200 rows 50; exec "+strings.Join(quoted, " "), "/dev/null")
	cmd.Env = append(os.Environ(), "TERM=xterm", "HOME="+t.TempDir())
	keys, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	screen, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start script (Debian package bsdutils): %v", err)
	}
	shown := &terminal{t, keys, make(chan string)}
	ended := make(chan struct{})
	go func() {
		defer close(shown.screen)
		for {
			chunk := make([]byte, 4<<10)
			n, err := screen.Read(chunk)
			if n > 0 {
				select {
				case shown.screen <- string(chunk[:n]):
				case <-ended:
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(ended)
		_ = keys.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return shown
}

// await reads the screen until it ends with what is awaited, but for colours and
// blanks.
func (s *terminal) await(end string) string {
	s.t.Helper()
	over := time.After(clientTimeout)
	var seen strings.Builder
	for {
		select {
		case piece, more := <-s.screen:
			if !more {
				s.t.Fatalf("the program ended, %q was awaited; seen:\n%q", end, seen.String())
			}
			seen.WriteString(piece)
			if strings.HasSuffix(strings.TrimRight(withoutColours(seen.String()), " \r\n"), end) {
				return withoutColours(seen.String())
			}
		case <-over:
			s.t.Fatalf("%q was awaited; seen:\n%q", end, seen.String())
		}
	}
}

// withoutColours is text without what moves the cursor and colours.
func withoutColours(text string) string {
	var plain strings.Builder
	for {
		before, after, found := strings.Cut(text, "\x1b[")
		plain.WriteString(before)
		if !found {
			return plain.String()
		}
		end := strings.IndexFunc(after, func(c rune) bool { return c >= '@' && c <= '~' })
		text = after[end+1:]
	}
}

// does types a line, and wants its answer before the prompt is back.
func (s *terminal) does(line, prompt string, want ...string) {
	s.t.Helper()
	if _, err := io.WriteString(s.keys, line); err != nil {
		s.t.Fatal(err)
	}
	contains(s.t, line, s.await(prompt), want...)
}

// TestRedisCLIAtATerminal is what people do: redis-cli asks for the commands'
// documents, shows a transaction in its prompt, and comes back from SUBSCRIBE with
// a key.
func TestRedisCLIAtATerminal(t *testing.T) {
	address := shared.redisAddress(t, "cli-terminal", nil)
	const prompt, inMulti, listening = ">", "(TX)>", "(integer) 1"
	for _, options := range [][]string{nil, {"-3"}} {
		s := openTerminal(t, shared.redisCommand(t, address, options...).Args...)
		s.await(prompt)
		s.does("SET n 1\r", prompt, "OK")
		s.does("HGETALL none\r", prompt, "(empty ")
		s.does("MULTI\r", inMulti, "OK")
		s.does("INCR n\r", inMulti, "QUEUED")
		s.does("EXEC\r", prompt, "1) (integer) 2")
		s.does("CLIENT INFO\r", prompt, "db=0", "user=cli-terminal")
		s.does("SELECT 1\r", prompt, "(error) ERR DB index is out of range")
		s.does("SELECT 0\r", prompt, "OK")
		s.does("AUTH nobody wrong\r", prompt, "(error) WRONGPASS")
		s.does("HELP GET\r", prompt, "GET key")
		s.does("MONITOR\r", prompt, "(error) NOPERM")
		s.does("SUBSCRIBE news\r", listening, `"subscribe"`)
		shared.mustRedisCLI(t, "1", address, "PUBLISH", "news", "hello")
		s.await(`"hello"`)
		s.does("\x03", prompt)
		s.does("PING\r", prompt, "PONG")
		s.does("RESET\r", prompt, "RESET")
		s.does("GET n\r", prompt, `"2"`)
	}
}
