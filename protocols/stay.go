package protocols

import "context"

// stayKey finds what WithStay put into a context.
type stayKey struct{}

// WithStay gives Handshake's context what Stay asks for; the proxy calls it.
func WithStay(ctx context.Context, stay func() (context.Context, bool)) context.Context {
	return context.WithValue(ctx, stayKey{}, stay)
}

// Stay lifts the startup's deadline from the connection of Handshake's ctx,
// which may last without a session: a driver that only monitors the server, or
// a login that has not named its workspace yet. What it gives ends when the
// proxy begins to shut down; ok is false where too many such connections are
// open, or where whoever called Handshake keeps none. It may be called again.
func Stay(ctx context.Context) (lasting context.Context, ok bool) {
	stay, _ := ctx.Value(stayKey{}).(func() (context.Context, bool))
	if stay == nil {
		return nil, false
	}
	return stay()
}
