package devstack_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
)

// parentOf makes this test binary a parent to be killed: it starts a server in
// the folder that the variable names, says so and waits for its end.
const parentOf = "TENANTSDB_TEST_PARENT_OF"

func TestMain(m *testing.M) {
	if dir := os.Getenv(parentOf); dir != "" {
		if _, err := devstack.StartPostgres(context.Background(), devstack.PostgresConfig{Dir: dir}); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("ready")
		select {}
	}
	goleak.VerifyTestMain(m)
}
