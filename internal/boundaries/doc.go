// Package boundaries holds the test of what each package may import, so that
// the layers stay what the architecture says they are.
package boundaries
