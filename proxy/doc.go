// Package proxy owns the sockets: it accepts connections, gives each one
// startup deadline, follows it from handshake to close, counts sessions
// against their workspace's limit, and drains them at shutdown. It knows a
// wire protocol only by its contract.
package proxy
