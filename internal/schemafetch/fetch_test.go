package schemafetch

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serve is an HTTPS server on this machine, and a Fetcher that trusts it and may
// reach it.
func serve(t *testing.T, h http.HandlerFunc) (*httptest.Server, *Fetcher) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that do not trust it
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, &Fetcher{AllowPrivate: true, Roots: trusting(s)}
}

func trusting(s *httptest.Server) *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return roots
}

func refused(t *testing.T, f *Fetcher, address, want string) {
	t.Helper()
	document, err := f.Download(t.Context(), address)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%.100s: got %d bytes and %v, want %s", address, len(document), err, want)
	}
	if err != nil && strings.Contains(err.Error(), "planted") {
		t.Errorf("%s: the error has the secret: %v", address, err)
	}
}

func TestDocumentIsFetched(t *testing.T) {
	s, f := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"tables": []}`) })
	document, err := f.Download(t.Context(), s.URL+"/schema.json?key=planted")
	if err != nil || string(document) != `{"tables": []}` {
		t.Errorf("got %q, %v", document, err)
	}
}

func TestDocumentOfTheMostBytesIsFetched(t *testing.T) {
	s, f := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(w, zeros{}, mostBytes)
	})
	document, err := f.Download(t.Context(), s.URL)
	if err != nil || len(document) != mostBytes {
		t.Errorf("got %d bytes, %v", len(document), err)
	}
}

// zeros is a body without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestTooLargeIsRefused(t *testing.T) {
	said, f := serve(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Length", "99999999") })
	refused(t, f, said.URL, "larger than 10 MB")
	unsaid, f := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.CopyN(w, zeros{}, mostBytes+1) })
	refused(t, f, unsaid.URL, "larger than 10 MB")
}

func TestTooSlowIsRefused(t *testing.T) {
	release := make(chan struct{})
	for name, h := range map[string]http.HandlerFunc{
		"no header": func(w http.ResponseWriter, r *http.Request) { <-release },
		"half a body": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "{")
			w.(http.Flusher).Flush()
			<-release
		},
	} {
		s, f := serve(t, h)
		f.Patience = 100 * time.Millisecond
		t.Run(name, func(t *testing.T) { refused(t, f, s.URL, "takes longer than 100ms") })
	}
	close(release)
}

func TestOtherAnswersAreRefused(t *testing.T) {
	s, f := serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNotFound) })
	refused(t, f, s.URL+"/planted", "status 404")
	untrusted := &Fetcher{AllowPrivate: true}
	refused(t, untrusted, s.URL, "certificate of its server is not trusted")
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	refused(t, f, strings.Replace(plain.URL, "http://", "https://", 1), "does not answer as an HTTPS server")
	plain.Close()
	refused(t, f, strings.Replace(plain.URL, "http://", "https://", 1), "can't be reached: connection refused")
}

func TestURLsThatAreNoneOfOurs(t *testing.T) {
	f := &Fetcher{}
	for address, want := range map[string]string{
		"":                              "not a URL",
		"schema.json":                   "not a URL",
		"https://":                      "not a URL",
		"http://example.com/a":          "must begin with https://",
		"file:///etc/passwd":            "not a URL",
		"ftp://example.com/planted":     "must begin with https://",
		"https://u:planted@example.com": "must not hold a login",
		"https://e.com/" + strings.Repeat("a", 3000): "longer than 2048",
	} {
		refused(t, f, address, want)
	}
}

func TestAddressesThatAreNotPublicAreRefused(t *testing.T) {
	// Spellings of addresses that are none to us are names, which may be looked up.
	f := &Fetcher{Resolver: answering(t, [4]byte{127, 0, 0, 1})}
	for _, host := range []string{
		"127.0.0.1", "127.9.9.9", "[::1]", "localhost", "0.0.0.0", "[::]", "169.254.169.254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1",
		"[fe80::1]", "[fc00::1]", "[fd12::1]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
		"224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.0.1", "198.18.0.1", "[2001:db8::1]", "[ff02::1]", "0x7f.1",
	} {
		refused(t, f, "https://"+host+"/planted", errPrivate.Error())
	}
	for _, public := range []string{"1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:1.1.1.1"} {
		if !isPublic(netip.MustParseAddr(public)) {
			t.Errorf("%s is taken for private", public)
		}
	}
}

func TestRedirectsAreJudgedLikeTheFirstURL(t *testing.T) {
	var to atomic.Value
	to.Store("")
	s, f := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/end" {
			if from := r.Header.Get("Referer"); from != "" {
				t.Errorf("the server is told of the URL that led there: %s", from)
			}
			fmt.Fprint(w, "{}")
			return
		}
		http.Redirect(w, r, to.Load().(string), http.StatusFound)
	})
	to.Store("/end")
	if document, err := f.Download(t.Context(), s.URL); err != nil || string(document) != "{}" {
		t.Errorf("got %q, %v", document, err)
	}
	to.Store("/again")
	refused(t, f, s.URL, "redirects too often")
	to.Store("http://127.0.0.1/end")
	refused(t, f, s.URL, "redirects to what is not an https:// URL")
	to.Store("https://u:planted@127.0.0.1/end")
	refused(t, f, s.URL, "redirects to what is not an https:// URL")

	// A public server that sends us inside: the judge sees the address of each
	// connection. The first is let through by its port alone.
	inside, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { t.Error("the server inside was reached") })
	to.Store(inside.URL)
	front := &lenient{Fetcher: Fetcher{Roots: f.Roots}, port: portOf(t, s.URL)}
	if _, err := front.download(t.Context(), s.URL); !errors.Is(err, errPrivate) {
		t.Errorf("redirect to a loopback address: got %v", err)
	}
}

// lenient takes one port of this machine for a public server.
type lenient struct {
	Fetcher
	port string
}

// download is Download through a dialer that judges all but the port.
func (l *lenient) download(ctx context.Context, address string) ([]byte, error) {
	client := l.client()
	judged := client.Transport.(*http.Transport).DialContext
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, to string) (net.Conn, error) {
		if strings.HasSuffix(to, ":"+l.port) {
			return new(net.Dialer).DialContext(ctx, network, to)
		}
		return judged(ctx, network, to)
	}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, reason(err, patience)
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

func portOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

// A name that is public when it is checked and private when it is dialled can't
// get through: there is one look-up, and what it gives is judged.
func TestNamesThatMeanPrivateAddressesAreRefused(t *testing.T) {
	for _, to := range [][4]byte{{127, 0, 0, 1}, {169, 254, 169, 254}, {10, 1, 2, 3}} {
		f := &Fetcher{Resolver: answering(t, to)}
		refused(t, f, "https://schema.example.com/a.json", "private, loopback or link-local")
	}
}

// answering is a resolver for which every name is that address.
func answering(t *testing.T, to [4]byte) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		answerAll(server, to)
	}()
	t.Cleanup(func() { server.Close(); <-done })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

func answerAll(server net.PacketConn, to [4]byte) {
	buffer := make([]byte, 1500)
	for {
		n, from, err := server.ReadFrom(buffer)
		if err != nil {
			return
		}
		packed := answerTo(buffer[:n], to)
		if _, err := server.WriteTo(packed, from); err != nil {
			return
		}
	}
}

// answerTo is the answer to one DNS query (RFC 1035): the address to a question
// for one, and none to others.
func answerTo(query []byte, to [4]byte) []byte {
	const header = 12
	end := header
	for query[end] != 0 { // the labels of the name
		end += 1 + int(query[end])
	}
	kind := query[end+1 : end+3]
	answer := append([]byte{}, query[:end+5]...)
	answer[2] |= 0x80                       // it is a response
	copy(answer[6:header], make([]byte, 6)) // no answers, no more
	if kind[1] != 1 {
		return answer
	}
	answer[7] = 1
	answer = append(answer, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4) // the name above, A, IN, for no time, four bytes
	return append(answer, to[:]...)
}
