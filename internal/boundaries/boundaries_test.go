package boundaries

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tenantsdb/tenantsdb"

// drivers are what speaks to a database, or reads its language.
var drivers = []string{
	"database/sql",
	"github.com/dop251/goja/...",
	"github.com/go-mysql-org/go-mysql/...",
	"github.com/go-sql-driver/mysql/...",
	"github.com/jackc/pgproto3/...",
	"github.com/jackc/pgx/...",
	"github.com/pganalyze/pg_query_go/...",
	"github.com/pingcap/tidb/pkg/parser/...",
	"github.com/redis/go-redis/...",
	"go.mongodb.org/mongo-driver/...",
	"modernc.org/sqlite/...",
}

// rule bounds the imports of the packages that match of, direct and through
// others. A path that ends in /... stands for all below it too; paths without a
// dot in their first element are ours or the standard library's.
type rule struct {
	of     string
	ours   []string // the only packages of ours; nil: any that never does not name
	never  []string
	direct []string // what never names, but through others is beyond our reach
	reason string
}

var none = []string{}

var rules = []rule{
	{
		of: "cmd/tenantsdb", reason: "the wiring knows everybody",
	}, {
		of:     "proxy",
		never:  append([]string{"protocols/postgres", "protocols/mysql", "protocols/mongodb", "protocols/redis", "ddltrack", "admin", "internal/catalog", "internal/engine/..."}, drivers...),
		reason: "the proxy knows a wire protocol by its contract only, so that a fifth one changes nothing here",
	}, {
		of:     "protocols",
		ours:   []string{"internal/workspace", "internal/schema"},
		reason: "the contract can be read, and tested with a fake, without any protocol",
	}, {
		of:     "protocols/internal/relay",
		ours:   none,
		reason: "the pump moves bytes of any protocol; one that it knew would bend it",
	}, {
		of:     "protocols/internal/wiretest",
		never:  []string{"proxy", "admin", "internal/catalog", "internal/engine/..."},
		reason: "scripted peers serve every protocol's tests",
	}, {
		of:     "protocols/internal/...",
		never:  []string{"protocols/postgres", "protocols/mysql", "protocols/mongodb", "protocols/redis", "proxy", "admin", "internal/catalog", "internal/engine/..."},
		reason: "what the protocols share knows none of them",
	}, {
		of:     "protocols/*",
		never:  []string{"sisters", "proxy", "admin", "internal/catalog", "internal/engine/..."},
		direct: []string{"database/sql", "net/http"},
		reason: "a protocol is a translator between two wires and asks the domain through what it is given",
	}, {
		of:     "ddltrack",
		ours:   none,
		direct: []string{"net", "net/http", "os", "time", "database/sql"},
		reason: "what a statement does follows from its text alone: no I/O, no clock",
	}, {
		of:     "admin",
		never:  append([]string{"proxy", "protocols/...", "internal/catalog", "internal/engine/..."}, drivers...),
		reason: "the API knows the domain only, so that what it can do, every edge can",
	}, {
		of:     "certs",
		ours:   none,
		reason: "certificates are of use to every listener and depend on none",
	}, {
		of:     "internal/workspace",
		never:  append([]string{"net/http", "proxy", "protocols/...", "admin", "internal/catalog", "internal/engine/..."}, drivers...),
		reason: "the domain declares what it needs; stores, servers and edges come to it",
	}, {
		of:     "internal/schema",
		ours:   none,
		direct: []string{"net", "net/http", "os", "time", "database/sql"},
		never:  drivers,
		reason: "what a schema means in each dialect follows from its text alone: no I/O, no clock",
	}, {
		of:     "internal/schemafetch",
		ours:   none,
		never:  drivers,
		reason: "who fetches what a client names knows nothing that could leak",
	}, {
		of:     "internal/catalog",
		ours:   []string{"internal/workspace", "internal/schema"},
		reason: "a store keeps what the domain gives it and decides nothing",
	}, {
		of:     "internal/catalog/...",
		ours:   []string{"internal/workspace", "internal/catalog", "internal/schema"},
		reason: "a store keeps what the domain gives it and decides nothing",
	}, {
		of:     "internal/engine/*",
		never:  []string{"sisters", "proxy", "protocols/...", "admin", "internal/catalog"},
		reason: "an engine is one kind of server and serves whoever holds its interface",
	}, {
		of:     "internal/engine/mongodb/shell",
		ours:   none,
		never:  []string{"net/http"},
		direct: []string{"net"},
		reason: "a client's script must reach nothing but what it is given",
	}, {
		of:     "internal/devstack",
		ours:   none,
		reason: "servers are started for dev and for tests of every layer",
	}, {
		of:     "internal/devstack/devstacktest",
		ours:   []string{"internal/devstack"},
		reason: "servers are started for dev and for tests of every layer",
	}, {
		of: "internal/boundaries", ours: none, reason: "it judges the others",
	}, {
		of:     "test/...",
		ours:   []string{"internal/devstack"},
		reason: "the end-to-end tests come through the front door only",
	},
}

// listed is a package as go list shows it.
type listed struct {
	ImportPath string
	Name       string
	Doc        string
	Imports    []string
	Deps       []string
}

// packages are all of ours.
func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Doc,Imports,Deps", module+"/...")
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("go list: %v\n%s", err, exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	var all []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = short(p.ImportPath)
		all = append(all, p)
	}
}

// short is a path of ours without the module's.
func short(importPath string) string {
	return strings.TrimPrefix(strings.TrimPrefix(importPath, module), "/")
}

// matches says whether the pattern stands for the path: "a/..." for a and all
// below it, "a/*" for what is right below it.
func matches(pattern, importPath string) bool {
	if below, ok := strings.CutSuffix(pattern, "/..."); ok {
		return importPath == below || strings.HasPrefix(importPath, below+"/")
	}
	if above, ok := strings.CutSuffix(pattern, "/*"); ok {
		return path.Dir(importPath) == above
	}
	return pattern == importPath
}

func matchesAny(patterns []string, importPath string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, importPath) })
}

// forbids says whether the package may not have the dependency.
func (r rule) forbids(p listed, dependency string, direct bool) bool {
	ours := strings.HasPrefix(dependency, module+"/")
	dependency = short(dependency)
	if dependency == p.ImportPath {
		return false
	}
	isSister := ours && path.Dir(dependency) == path.Dir(p.ImportPath)
	return ours && r.ours != nil && !matchesAny(r.ours, dependency) ||
		matchesAny(r.never, dependency) ||
		direct && matchesAny(r.direct, dependency) ||
		isSister && slices.Contains(r.never, "sisters")
}

// ruleOf is the first rule that matches.
func ruleOf(importPath string) (rule, bool) {
	i := slices.IndexFunc(rules, func(r rule) bool { return matches(r.of, importPath) })
	if i < 0 {
		return rule{}, false
	}
	return rules[i], true
}

func TestPackagesImportWhatTheArchitectureAllows(t *testing.T) {
	for _, p := range packages(t) {
		r, ok := ruleOf(p.ImportPath)
		if !ok {
			t.Errorf("%s has no rule: decide what it may import", p.ImportPath)
			continue
		}
		for _, dependency := range p.Deps {
			if r.forbids(p, dependency, slices.Contains(p.Imports, dependency)) {
				t.Errorf("%s must not depend on %s: %s", p.ImportPath, short(dependency), r.reason)
			}
		}
	}
}

func TestEachPackageSaysWhatItIs(t *testing.T) {
	for _, p := range packages(t) {
		want := "Package " + p.Name + " "
		if p.Name == "main" {
			want = "Command " + path.Base(p.ImportPath) + " "
		}
		if !strings.HasPrefix(p.Doc, want) {
			t.Errorf("%s: its comment begins %q, want %q", p.ImportPath, p.Doc, want)
		}
	}
}

// TestRulesCatchWhatTheyForbid keeps the judge honest: each rule against an
// import that it is there for.
func TestRulesCatchWhatTheyForbid(t *testing.T) {
	for of, forbidden := range map[string]string{
		"proxy":                    module + "/protocols/postgres",
		"protocols":                module + "/proxy",
		"protocols/postgres":       module + "/protocols/mysql",
		"protocols/mysql":          "net/http",
		"protocols/internal/relay": module + "/internal/workspace",
		"ddltrack":                 module + "/internal/workspace",
		"admin":                    "modernc.org/sqlite",
		"certs":                    module + "/internal/workspace",
		"internal/workspace":       "github.com/jackc/pgx/v5/pgconn",
		"internal/catalog":         module + "/admin",
		"internal/schema":          module + "/internal/workspace",
		"internal/schemafetch":     module + "/internal/workspace",
		"internal/engine/postgres": module + "/internal/engine/mysql",
		"internal/engine/mongodb":  module + "/protocols/mongodb",
		"internal/devstack":        module + "/internal/workspace",
		"test":                     module + "/internal/workspace",
		"test/bench":               module + "/proxy",
	} {
		r, ok := ruleOf(of)
		if !ok || !r.forbids(listed{ImportPath: of}, forbidden, true) {
			t.Errorf("%s may depend on %s", of, forbidden)
		}
	}
}
