package test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// seedVariable gives the random tests a seed, to see a failure again.
const seedVariable = "TENANTSDB_TEST_SEED"

// testSeed is a new seed, or the one in seedVariable; the log names it.
func testSeed(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if given := os.Getenv(seedVariable); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatalf("%s: %v", seedVariable, err)
		}
	}
	t.Logf("%s=%d", seedVariable, seed)
	return seed
}
