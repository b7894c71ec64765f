package admin

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A client that sends its whole body before it reads must hear that it was too
// large, rather than find its connection reset.
func TestTooLargeABodyIsRefusedInWordsThatArrive(t *testing.T) {
	const size = 32 << 20 // more than a connection holds on its way
	for name, head := range map[string]string{
		"length told":     fmt.Sprintf("Content-Length: %d\r\n\r\n", size),
		"length not told": fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n", size),
	} {
		t.Run(name, func(t *testing.T) {
			conn := listen(t, newFixture(t), func(*http.Server) {})
			sent := "POST /workspaces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + rightKey + "\r\nContent-Type: application/json\r\n" + head + strings.Repeat("x", size)
			if name == "length not told" {
				sent += "\r\n0\r\n\r\n"
			}
			if _, err := conn.Write([]byte(sent)); err != nil {
				t.Fatal(err)
			}
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if answer.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("got %s", answer.Status)
			}
		})
	}
}

// One that asks first is answered before it has sent anything.
func TestTooLargeABodyIsRefusedBeforeItIsSent(t *testing.T) {
	conn := listen(t, newFixture(t), func(*http.Server) {})
	fmt.Fprintf(conn, "POST /workspaces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", rightKey, 32<<20)
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("got %s", answer.Status)
	}
}
