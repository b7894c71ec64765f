//go:build linux && race

package shell

// shadow is how many bytes a byte of ours takes, with those that the race
// detector keeps beside it.
const shadow = 8
