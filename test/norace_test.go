//go:build !race

package test

// raceEnabled says whether the tests, and so the program, run under the race
// detector.
const raceEnabled = false
