// Package schemafetch fetches the documents that schemas are imported from, by
// HTTPS and from public addresses only: who may name a URL is not to reach what
// only this machine can.
package schemafetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

const (
	mostBytes     = 10 << 20
	patience      = 10 * time.Second // from the name's look-up to the last byte
	mostRedirects = 5
	longestURL    = 2048
)

// errPrivate is about an address that is not of the public internet.
var errPrivate = errors.New("its address is private, loopback or link-local; the operator can allow these (imports.private_urls)")

// Fetcher fetches documents. The zero value is ready for use.
type Fetcher struct {
	// AllowPrivate lets it connect to any address.
	AllowPrivate bool
	// Roots are the authorities to trust; nil: the system's.
	Roots *x509.CertPool
	// Resolver looks names up; nil: the system's.
	Resolver *net.Resolver
	// Patience is how long all of it may take; 0: 10 s.
	Patience time.Duration
}

// Download is the document at an HTTPS URL, of at most 10 MB. The address that
// is dialled is what is judged, so that neither a redirect nor a name that means
// another address the next time leads elsewhere. Errors hold nothing of the URL
// or of the answer.
func (f *Fetcher) Download(ctx context.Context, address string) ([]byte, error) {
	u, err := parse(address)
	if err != nil {
		return nil, err
	}
	wait := patience
	if f.Patience > 0 {
		wait = f.Patience
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errors.New("it is not a URL")
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "tenantsdb")
	client := f.client()
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return nil, reason(err, wait)
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answers with the status %d", response.StatusCode)
	}
	if response.ContentLength > mostBytes {
		return nil, tooLarge()
	}
	document, err := io.ReadAll(io.LimitReader(response.Body, mostBytes+1))
	switch {
	case err != nil:
		return nil, reason(err, wait)
	case len(document) > mostBytes:
		return nil, tooLarge()
	}
	return document, nil
}

func tooLarge() error { return fmt.Errorf("the document is larger than %d MB", mostBytes>>20) }

// parse takes HTTPS URLs without a login.
func parse(address string) (*url.URL, error) {
	if len(address) > longestURL {
		return nil, fmt.Errorf("the URL is longer than %d bytes", longestURL)
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "":
		return nil, errors.New("it is not a URL such as https://example.com/schema.json")
	case !strings.EqualFold(u.Scheme, "https"):
		return nil, errors.New("the URL must begin with https://")
	case u.User != nil:
		return nil, errors.New("the URL must not hold a login")
	}
	return u, nil
}

// client goes through no proxy, which would dial for us where we can't judge.
func (f *Fetcher) client() *http.Client {
	dialer := &net.Dialer{Resolver: f.Resolver, Control: f.judge}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{RootCAs: f.Roots, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) >= mostRedirects {
				return errRedirects
			}
			if _, err := parse(r.URL.String()); err != nil {
				return errInsecure
			}
			r.Header.Del("Referer") // the URL may hold a secret, which is none of another server's
			return nil
		},
	}
}

var (
	errRedirects = errors.New("the server redirects too often")
	errInsecure  = errors.New("the server redirects to what is not an https:// URL without a login")
)

// judge is called with the address of each connection before it is made.
func (f *Fetcher) judge(_, address string, _ syscall.RawConn) error {
	if f.AllowPrivate {
		return nil
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil || !isPublic(to.Addr()) {
		return errPrivate
	}
	return nil
}

// special are the networks that are not of the public internet, beside those
// that netip knows, and those that hide an IPv4 address.
func special() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),
		netip.MustParsePrefix("100.64.0.0/10"),
		netip.MustParsePrefix("192.0.0.0/24"),
		netip.MustParsePrefix("192.0.2.0/24"),
		netip.MustParsePrefix("192.88.99.0/24"),
		netip.MustParsePrefix("198.18.0.0/15"),
		netip.MustParsePrefix("198.51.100.0/24"),
		netip.MustParsePrefix("203.0.113.0/24"),
		netip.MustParsePrefix("240.0.0.0/4"),
		netip.MustParsePrefix("::/96"),
		netip.MustParsePrefix("64:ff9b::/96"),
		netip.MustParsePrefix("64:ff9b:1::/48"),
		netip.MustParsePrefix("100::/64"),
		netip.MustParsePrefix("2001::/23"),
		netip.MustParsePrefix("2001:db8::/32"),
		netip.MustParsePrefix("2002::/16"),
		netip.MustParsePrefix("fec0::/10"),
	}
}

// isPublic says whether the address is one of the public internet.
func isPublic(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, network := range special() {
		if network.Contains(a) {
			return false
		}
	}
	return true
}

// reason is why a document could not be fetched, without the URL, which may hold
// a secret.
func reason(err error, wait time.Duration) error {
	for _, own := range []error{errPrivate, errRedirects, errInsecure} {
		if errors.Is(err, own) {
			return own
		}
	}
	var timed net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timed) && timed.Timeout() {
		return fmt.Errorf("the server takes longer than %v", wait)
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return errors.New("its host is not known")
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return errors.New("the certificate of its server is not trusted")
	}
	if refused, ok := errors.AsType[syscall.Errno](err); ok {
		return fmt.Errorf("its server can't be reached: %w", refused)
	}
	return errors.New("its server does not answer as an HTTPS server does")
}
