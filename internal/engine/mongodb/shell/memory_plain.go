//go:build linux && !race

package shell

// shadow is how many bytes a byte of ours takes.
const shadow = 1
