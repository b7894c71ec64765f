package redis

import (
	"strconv"
	"strings"
)

// infoLines are the lines of INFO that tell nothing of other workspaces, by
// their sections. Those of clients are the workspace's. There is none of how much
// memory is in use, or how much was done: the server counts that for all
// databases together.
const infoLines = `# Server redis_version redis_mode os arch_bits multiplexing_api uptime_in_seconds uptime_in_days hz
	server_name valkey_version server_mode
	# Clients connected_clients maxclients
	# Memory maxmemory_policy mem_allocator
	# Persistence loading async_loading rdb_bgsave_in_progress aof_rewrite_in_progress
	# Replication role
	# Cluster cluster_enabled`

// decideInfo answers INFO: the server's own would show every workspace.
func (r *relay) decideInfo(b []byte, q *request) error {
	if err := r.inTurn(b, q); err != nil {
		return err
	}
	answer, err := r.askAdmin(appendCommand(nil, "INFO", "ALL"))
	text, ok := "", false
	if err == nil {
		if text, ok = answer.(string); !ok {
			err = errAnswer
		}
	}
	if err != nil {
		r.log.Warn("info not read", "workspace", r.live.Name, "error", err)
		r.track.refuse(b, q, "ERR INFO can't be read now, try again")
		return nil
	}
	wanted := make(map[string]bool)
	for _, arg := range q.args[1:] {
		wanted[strings.ToLower(string(arg))] = true
	}
	info := filterInfo(text, r.route.Database, r.ownClients(), wanted)
	if r.track.resp3 {
		r.track.tell(b, q, "="+strconv.Itoa(4+len(info))+"\r\ntxt:"+info)
	} else {
		r.track.tell(b, q, "$"+strconv.Itoa(len(info))+"\r\n"+info)
	}
	return nil
}

// ownClients are the figures of the section Clients that are the workspace's own;
// where it has no limit the server's is that.
func (r *relay) ownClients() map[string]int64 {
	own := map[string]int64{"connected_clients": r.live.Connections()}
	if limit := r.live.MaxConnections(); limit > 0 {
		own["maxclients"] = limit
	}
	return own
}

// filterInfo keeps of INFO what concerns the workspace in database, with its own
// figures, in the sections wanted; none named means all.
func filterInfo(text, database string, own map[string]int64, wanted map[string]bool) string {
	every := len(wanted) == 0 || wanted["all"] || wanted["default"] || wanted["everything"]
	lines := make(map[string]string)
	for line := range strings.SplitSeq(text, "\r\n") {
		if name, _, ok := strings.Cut(line, ":"); ok {
			lines[name] = line
		}
	}
	for name, figure := range own {
		lines[name] = name + ":" + strconv.FormatInt(figure, 10)
	}
	var out strings.Builder
	keep, first := false, true
	section := func(name string) {
		keep = every || wanted[strings.ToLower(name)]
		if !keep {
			return
		}
		if !first {
			out.WriteString("\r\n")
		}
		first = false
		out.WriteString("# " + name + "\r\n")
	}
	words := strings.Fields(infoLines)
	for i := 0; i < len(words); i++ {
		if words[i] == "#" {
			i++
			section(words[i])
			continue
		}
		if line, ok := lines[words[i]]; ok && keep {
			out.WriteString(line + "\r\n")
		}
	}
	section("Keyspace")
	if _, counts, ok := strings.Cut(lines["db"+database], ":"); ok && keep {
		out.WriteString("db0:" + counts + "\r\n")
	}
	return out.String()
}
