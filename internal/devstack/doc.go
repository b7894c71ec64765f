// Package devstack runs real database servers as supervised child processes,
// for `tenantsdb dev` and for the tests. A server that exits unexpectedly is
// started again; one that outlived a killed parent is found by the next start
// and waited for. No server ever runs as root.
package devstack
