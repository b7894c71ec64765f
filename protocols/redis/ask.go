package redis

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

const (
	// maxAnswer bounds an answer to the proxy's own questions.
	maxAnswer = 16 << 20
	// maxAnswerDepth is above the depth of COMMAND, the deepest of them.
	maxAnswerDepth = 16
	// askTimeout bounds a question of the proxy.
	askTimeout = 5 * time.Second
)

var errAnswer = errors.New("unexpected answer")

// readAnswer reads one RESP2 reply to a command of the proxy's own: a string,
// an int64, nil, or []any of these. An error reply is a serverError.
func readAnswer(in *bufio.Reader) (any, error) {
	budget := maxAnswer
	return readLevel(in, &budget, maxAnswerDepth)
}

func readLevel(in *bufio.Reader, budget *int, depth int) (any, error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	*budget -= len(line)
	if len(line) < 3 || *budget < 0 || depth == 0 {
		return nil, errAnswer
	}
	kind, rest := line[0], string(line[1:len(line)-2])
	switch kind {
	case '+':
		return rest, nil
	case '-':
		return nil, serverError(rest)
	}
	n, err := strconv.ParseInt(rest, 10, 64)
	if err != nil {
		return nil, errAnswer
	}
	switch {
	case kind == ':':
		return n, nil
	case n == -1:
		return nil, nil
	case n < 0 || n > int64(*budget):
		return nil, errAnswer
	case kind == '$':
		*budget -= int(n)
		value := make([]byte, n+2)
		if _, err := io.ReadFull(in, value); err != nil {
			return nil, err
		}
		return string(value[:n]), nil
	case kind == '*' || kind == '%':
		if kind == '%' {
			n *= 2
		}
		var values []any
		for range n {
			v, err := readLevel(in, budget, depth-1)
			if err != nil {
				return nil, err
			}
			values = append(values, v)
		}
		return values, nil
	}
	return nil, errAnswer
}

// asker is a connection for the proxy's own questions.
type asker struct {
	conn net.Conn
	in   *bufio.Reader
}

// ask sends commands and reads the answer to each.
func (a *asker) ask(commands []byte, n int) ([]any, error) {
	if err := a.conn.SetDeadline(time.Now().Add(askTimeout)); err != nil {
		return nil, fmt.Errorf("ask server: set deadline: %w", err)
	}
	if _, err := a.conn.Write(commands); err != nil {
		return nil, fmt.Errorf("ask server: %w", err)
	}
	answers := make([]any, 0, n)
	for range n {
		v, err := readAnswer(a.in)
		if err != nil {
			return nil, fmt.Errorf("ask server: %w", err)
		}
		answers = append(answers, v)
	}
	return answers, nil
}
