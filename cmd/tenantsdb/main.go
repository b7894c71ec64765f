// Command tenantsdb is the database proxy with its admin API: `tenantsdb dev`
// runs everything on this machine, `tenantsdb serve` stands before existing
// servers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	mongodbengine "github.com/tenantsdb/tenantsdb/internal/engine/mongodb"
	"github.com/tenantsdb/tenantsdb/internal/engine/mongodb/shell"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// version is the release that the next tag gets.
const version = "0.1.0"

const usage = `usage:
  tenantsdb dev [--data DIR] [--port-base N] [--only TYPES]
                                   run everything on this machine
  tenantsdb serve --config FILE    run before existing servers
  tenantsdb version                print the version
`

// errUsage is a command line that says nothing we can do; what is wrong with it
// was already said.
var errUsage = errors.New("usage")

func main() {
	quietRedisClient()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	// A second signal ends us at once.
	context.AfterFunc(ctx, stop)
	os.Exit(exitCode(command(ctx, os.Args[1:], os.Stdout, os.Stderr), os.Stderr))
}

func exitCode(err error, stderr io.Writer) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	}
	fmt.Fprintln(stderr, "tenantsdb:", workspace.Causes(err))
	return 1
}

func command(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return errUsage
	}
	switch name, args := args[0], args[1:]; name {
	case "dev":
		return dev(ctx, args, stdout, stderr)
	case "serve":
		return serve(ctx, args, stdout, stderr)
	case mongodbengine.ShellCommand:
		// Not for people: the child that a query in mongosh's language runs in.
		return shell.Serve(os.Stdin, stdout)
	case "version", "--version":
		_, err := fmt.Fprintln(stdout, "tenantsdb", fullVersion())
		return err
	case "help", "-h", "--help":
		_, err := fmt.Fprint(stdout, usage)
		return err
	default:
		fmt.Fprintf(stderr, "tenantsdb: unknown command %q\n%s", name, usage)
		return errUsage
	}
}

// parse reads a command's flags and refuses what is left over.
func parse(flags *flag.FlagSet, args []string, stderr io.Writer) error {
	flags.SetOutput(stderr)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "tenantsdb %s: unexpected argument %q\n", flags.Name(), flags.Arg(0))
		return errUsage
	}
	return nil
}

// fullVersion is the version with the commit it was built from, where known.
func fullVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return version + "+" + s.Value[:12]
		}
	}
	return version
}
