package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
)

// Each of these keys must change what somebody outside can see.
func TestServeShowsThePublicAddressAndLogsAsItIsTold(t *testing.T) {
	database := devstacktest.Postgres(t, nil)
	p := &production{dir: t.TempDir(), port: free(t), admin: fmt.Sprintf("http://localhost:%d", free(t))}
	p.certificate(t)
	file := filepath.Join(p.dir, "tenantsdb.yaml")
	text := fmt.Sprintf(`
data_dir: %s
master_key_file: %s/elsewhere.key
tls: {cert: %s/cert.pem, key: %s/key.pem}
admin: {listen: "127.0.0.1:%s"}
postgresql: {listen: "127.0.0.1:%d", public_host: db.example.com, public_port: 15432}
servers: [{name: main, type: postgres, socket: %q, user: %s}]
log: {level: debug, format: text}
`, filepath.Join(p.dir, "data"), p.dir, p.dir, p.dir, p.admin[strings.LastIndex(p.admin, ":")+1:], p.port, database.SocketDir(), database.User())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p.program = launch(t, []string{"TENANTSDB_SERVERS_0_PASSWORD=" + database.Password()}, "serve", "--config", file)
	p.await(t, "start", func() bool { return strings.Contains(p.stderr.String(), "msg=ready") })
	if strings.Contains(p.stderr.String(), `{"`) {
		t.Errorf("the log is not text alone: %s", p.stderr.String())
	}
	if _, err := os.Stat(filepath.Join(p.dir, "elsewhere.key")); err != nil {
		t.Errorf("master key: %v", err)
	}

	_, rest, _ := strings.Cut(p.stdout.String(), "API key")
	key := strings.Fields(rest)[0]
	body, err := json.Marshal(map[string]string{"name": "shop", "database": "PostgreSQL", "mode": "control"})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.admin+"/workspaces", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var made struct {
		Connection struct {
			Host string `json:"host"`
			Port int    `json:"port"`
		} `json:"connection"`
		String string `json:"connection_string"`
	}
	if err := json.NewDecoder(response.Body).Decode(&made); err != nil {
		t.Fatal(err)
	}
	if made.Connection.Host != "db.example.com" || made.Connection.Port != 15432 || !strings.Contains(made.String, "@db.example.com:15432/shop_workspace") {
		t.Errorf("got %+v, want the public address", made)
	}
	// A login that fails is told at this level and no other.
	stranger, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.port))
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	fmt.Fprint(stranger, "GET / HTTP/1.1\r\n\r\n")
	p.await(t, "debug", func() bool { return strings.Contains(p.stderr.String(), "level=DEBUG msg=\"handshake failed\"") })
}
