// Package certs serves TLS certificates: those of a development authority that
// it makes itself, or the operator's own files. A Store keeps one certificate
// in use, replaces it without a restart when its files change, and keeps the
// old one when the new files are no good.
package certs
