// Package workspace is the domain: projects, workspaces, their settings and
// their deploy queue. Its Service is the only writer of that state; it declares
// the Catalog (durable metadata), the Engine (a physical server) and the
// Sessions (open connections) it needs, and knows none of their drivers.
package workspace
