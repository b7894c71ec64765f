package admin

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func from(address string) *http.Request {
	r := httptest.NewRequest("GET", "/health", nil)
	r.RemoteAddr = address
	return r
}

func TestRequestsOfOneAddressAreLimited(t *testing.T) {
	f := newFixture(t)
	for range requestsPerSecond {
		f.send(t, from("192.0.2.1:1000")).want(http.StatusOK, "ok")
	}
	got := f.send(t, from("192.0.2.1:2000")).want(http.StatusTooManyRequests, "rate_limited")
	if got := got.Header().Get("Retry-After"); got != "1" {
		t.Errorf("got Retry-After %q, want 1", got)
	}
	f.send(t, from("192.0.2.2:1000")).want(http.StatusOK, "ok")

	f.clock.advance(10 * time.Millisecond)
	f.send(t, from("192.0.2.1:1000")).want(http.StatusOK, "ok")
	f.send(t, from("192.0.2.1:1000")).want(http.StatusTooManyRequests, "rate_limited")
}

func TestForwardedAddressIsNotBelieved(t *testing.T) {
	f := newFixture(t)
	for i := range requestsPerSecond + 1 {
		r := from("192.0.2.1:1000")
		r.Header.Set("X-Forwarded-For", fmt.Sprintf("198.51.100.%d", i))
		if got := f.send(t, r); i == requestsPerSecond {
			got.want(http.StatusTooManyRequests, "rate_limited")
		}
	}
}

func TestWrongKeysAreLimitedAndTheRightOneIsNot(t *testing.T) {
	f := newFixture(t)
	forgetful(f)
	lookups := 0
	f.service.authenticate = func(key string) (workspace.Principal, error) {
		lookups++
		if key == "right" || key == "also right" {
			return workspace.Principal{Role: "admin"}, nil
		}
		return workspace.Principal{}, workspace.Errorf(workspace.Unauthorized, "unknown")
	}
	try := func(key string) response {
		r := httptest.NewRequest("GET", "/workspaces", nil)
		r.Header.Set("X-API-Key", key)
		return f.send(t, r)
	}
	try("right").want(http.StatusOK, "ok")
	for range wrongKeysBurst {
		try("wrong").want(http.StatusUnauthorized, "unauthorized")
	}
	before := lookups
	try("wrong").want(http.StatusTooManyRequests, "rate_limited")
	try("also right").want(http.StatusTooManyRequests, "rate_limited")
	if lookups != before {
		t.Errorf("a key was looked up while the address had to wait")
	}
	try("right").want(http.StatusOK, "ok")

	f.clock.advance(time.Second)
	try("also right").want(http.StatusOK, "ok")
}

func TestMissingKeysDoNotCountAsWrong(t *testing.T) {
	f := newFixture(t)
	forgetful(f)
	for range wrongKeysBurst + 1 {
		f.send(t, httptest.NewRequest("GET", "/workspaces", nil)).want(http.StatusUnauthorized, "auth_required")
	}
	f.call(t, "GET", "/workspaces", "").want(http.StatusOK, "ok")
}

func TestAddressesOfOneSubscriberAreOne(t *testing.T) {
	tests := []struct {
		one, other string
		same       bool
	}{
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"192.0.2.1", "192.0.2.2", false},
	}
	for _, tt := range tests {
		if got := prefixOf(netip.MustParseAddr(tt.one)) == prefixOf(netip.MustParseAddr(tt.other)); got != tt.same {
			t.Errorf("%s and %s: got same %v, want %v", tt.one, tt.other, got, tt.same)
		}
	}
	mapped := remote(from("[::ffff:192.0.2.1]:5"))
	if want := netip.MustParseAddr("192.0.2.1"); mapped != want {
		t.Errorf("got %v, want %v", mapped, want)
	}
}

func TestRememberedAddressesAreBounded(t *testing.T) {
	l := newLimiter()
	now := time.Now()
	addr := netip.MustParseAddr("10.0.0.0")
	for range rememberedAddresses + 1000 {
		addr = addr.Next()
		if wait := l.take(addr, now); wait != 0 {
			t.Fatalf("%v: got wait %v, want none", addr, wait)
		}
	}
	if len(l.visitors) != rememberedAddresses || l.recent.Len() != rememberedAddresses {
		t.Errorf("got %d and %d addresses, want %d", len(l.visitors), l.recent.Len(), rememberedAddresses)
	}
	if _, ok := l.visitors[prefixOf(netip.MustParseAddr("10.0.0.1"))]; ok {
		t.Error("the longest silent address is still remembered")
	}
}

func TestClockThatStepsBackDoesNotBlock(t *testing.T) {
	l := newLimiter()
	now := time.Now()
	addr := netip.MustParseAddr("10.0.0.1")
	l.take(addr, now)
	for range requestsPerSecond - 1 {
		if wait := l.take(addr, now.Add(-time.Hour)); wait != 0 {
			t.Fatalf("got wait %v, want none", wait)
		}
	}
}
