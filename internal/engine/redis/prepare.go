package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const oldestVersion = 7

// Prepare refuses a server that can't hold workspaces apart: one that is too
// old, a cluster (which has one database only), or one whose default user lets
// anybody in, for that is what a connection falls back to after RESET.
func (e *Engine) Prepare(ctx context.Context) error {
	server, err := e.info(ctx, "server")
	if err != nil {
		return err
	}
	version := server["redis_version"]
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldestVersion {
		return fmt.Errorf("redis server %s has version %q: %d or newer is needed", e.config.Name, version, oldestVersion)
	}
	mode, known := server["redis_mode"]
	if !known {
		mode = server["server_mode"] // Valkey's name for it
	}
	if mode != "standalone" {
		return fmt.Errorf("redis server %s is in mode %q: logical databases need a standalone server", e.config.Name, mode)
	}
	if err := e.checkDefaultUser(ctx); err != nil {
		return err
	}
	count, err := e.Databases(ctx)
	if err != nil {
		return err
	}
	if count < 2 {
		return fmt.Errorf("redis server %s has one logical database only: start it with --databases", e.config.Name)
	}
	// RESTORE takes what a client made up; a server that trusts it can be
	// crashed by it.
	if err := e.admin.ConfigSet(ctx, "sanitize-dump-payload", "clients").Err(); err != nil {
		e.config.Log.WarnContext(ctx, "server can't be told to check payloads of RESTORE", "server", e.config.Name, "error", err)
	}
	return e.checkScripts(ctx)
}

// sharesStrings says whether a script can change what strings are to all scripts
// that come after it, whoever's they are. It changes nothing itself.
const sharesStrings = `local ok=pcall(function() getmetatable('').tenantsdb=nil end) if ok then return 1 end return 0`

// checkScripts warns of a server on which a script of one workspace may have those
// of others do something as their own user (CVE-2025-46818).
func (e *Engine) checkScripts(ctx context.Context) error {
	shared, err := e.admin.Eval(ctx, sharesStrings, nil).Int()
	if err != nil {
		return e.failed("look at what scripts share", err)
	}
	if shared == 1 {
		e.config.Log.WarnContext(ctx, "scripts of one workspace can change what those of others do, and reach their keys by it (CVE-2025-46818); a newer server has that mended", "server", e.config.Name)
	}
	return nil
}

func (e *Engine) checkDefaultUser(ctx context.Context) error {
	reply, err := e.admin.Do(ctx, "acl", "getuser", defaultUser).Result()
	if err != nil {
		return e.failed("read the default user", err)
	}
	flags := field(reply, "flags")
	if slices.Contains(flags, "on") && slices.Contains(flags, "nopass") {
		return fmt.Errorf("redis server %s lets anybody in as administrator: give its default user a password (requirepass) or turn it off", e.config.Name)
	}
	return nil
}

// field is a list of texts by its name in a reply of names and values.
func field(reply any, name string) []string {
	pairs, _ := reply.([]any)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] != name {
			continue
		}
		values, _ := pairs[i+1].([]any)
		var texts []string
		for _, v := range values {
			texts = append(texts, fmt.Sprint(v))
		}
		return texts
	}
	return nil
}

// hasField says whether a reply of names and values has the name.
func hasField(reply any, name string) bool {
	pairs, _ := reply.([]any)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == name {
			return true
		}
	}
	return false
}

// Ping says whether the server answers the administrator.
func (e *Engine) Ping(ctx context.Context) error {
	if err := e.admin.Ping(ctx).Err(); err != nil {
		return e.failed("ping", err)
	}
	return nil
}

// Databases is how many logical databases the server has, number 0 among them.
func (e *Engine) Databases(ctx context.Context) (int, error) {
	if e.config.Databases > 0 {
		return e.config.Databases, nil
	}
	values, err := e.admin.ConfigGet(ctx, "databases").Result()
	if err != nil {
		return 0, e.failed("ask for the number of databases", err)
	}
	n, err := strconv.Atoi(values["databases"])
	if err != nil {
		return 0, fmt.Errorf("redis server %s does not tell how many databases it has: configure it", e.config.Name)
	}
	return n, nil
}

// info is a section of INFO.
func (e *Engine) info(ctx context.Context, section string) (map[string]string, error) {
	text, err := e.admin.Info(ctx, section).Result()
	if isBusy(err) {
		return nil, e.endScript(ctx, err)
	}
	if err != nil {
		return nil, e.failed("read info", err)
	}
	values := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			values[name] = value
		}
	}
	return values, nil
}

var _ workspace.Engine = (*Engine)(nil)
