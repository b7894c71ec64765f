package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// complete sets every key.
const complete = `
data_dir: /data
master_key_file: /secrets/master.key
tls:
  cert: /tls/server.crt
  key: /tls/server.key
admin:
  listen: 0.0.0.0:9080
  tls: true
postgresql:
  listen: 0.0.0.0:6432
  public_host: db.example
  public_port: 5432
mysql:
  listen: 0.0.0.0:4306
  public_host: my.example
  public_port: 3306
mongodb:
  listen: 0.0.0.0:28017
  public_host: mongo.example
  public_port: 27017
redis:
  listen: 0.0.0.0:7379
  public_host: cache.example
  public_port: 6379
servers:
  - name: main
    type: PostgreSQL
    host: pg.internal
    port: 5433
    user: admin
    password: secret
    database: maintenance
    tls: verify
    ca: /tls/ca.crt
  - name: local
    type: postgres
    socket: /run/postgresql
    user: admin
  - name: cache
    type: Redis
    host: redis.internal
    password: secret
    databases: 64
  - name: documents
    type: mongo
    uri: mongodb://a,b/?replicaSet=rs0
    user: admin
    password: secret
limits:
  drain_timeout: 45s
log:
  level: debug
  format: text
`

func completeConfig() Config {
	return Config{
		DataDir:       "/data",
		MasterKeyFile: "/secrets/master.key",
		TLS:           TLSConfig{Cert: "/tls/server.crt", Key: "/tls/server.key"},
		Admin:         AdminConfig{Listen: "0.0.0.0:9080", TLS: true},
		PostgreSQL:    ListenerConfig{Listen: "0.0.0.0:6432", PublicHost: "db.example", PublicPort: 5432},
		MySQL:         ListenerConfig{Listen: "0.0.0.0:4306", PublicHost: "my.example", PublicPort: 3306},
		MongoDB:       ListenerConfig{Listen: "0.0.0.0:28017", PublicHost: "mongo.example", PublicPort: 27017},
		Redis:         ListenerConfig{Listen: "0.0.0.0:7379", PublicHost: "cache.example", PublicPort: 6379},
		Servers: []PhysicalConfig{{
			Name: "main", Type: "PostgreSQL", Host: "pg.internal", Port: 5433, User: "admin", Password: "secret",
			Database: "maintenance", TLS: "verify", CA: "/tls/ca.crt",
		}, {
			Name: "local", Type: "postgres", Socket: "/run/postgresql", User: "admin",
		}, {
			Name: "cache", Type: "Redis", Host: "redis.internal", Password: "secret", Databases: 64,
		}, {
			Name: "documents", Type: "mongo", URI: "mongodb://a,b/?replicaSet=rs0", User: "admin", Password: "secret",
		}},
		Limits: LimitsConfig{DrainTimeout: 45 * time.Second},
		Log:    LogConfig{Level: "debug", Format: "text"},
	}
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tenantsdb.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEachKeyOfTheFileIsRead(t *testing.T) {
	got, err := loadConfig(writeConfig(t, complete), nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := completeConfig(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// variables are the whole configuration of completeConfig.
var variables = []string{
	"TENANTSDB_DATA_DIR=/data",
	"TENANTSDB_MASTER_KEY_FILE=/secrets/master.key",
	"TENANTSDB_TLS_CERT=/tls/server.crt",
	"TENANTSDB_TLS_KEY=/tls/server.key",
	"TENANTSDB_ADMIN_LISTEN=0.0.0.0:9080",
	"TENANTSDB_ADMIN_TLS=true",
	"TENANTSDB_POSTGRESQL_LISTEN=0.0.0.0:6432",
	"TENANTSDB_POSTGRESQL_PUBLIC_HOST=db.example",
	"TENANTSDB_POSTGRESQL_PUBLIC_PORT=5432",
	"TENANTSDB_MYSQL_LISTEN=0.0.0.0:4306",
	"TENANTSDB_MYSQL_PUBLIC_HOST=my.example",
	"TENANTSDB_MYSQL_PUBLIC_PORT=3306",
	"TENANTSDB_MONGODB_LISTEN=0.0.0.0:28017",
	"TENANTSDB_MONGODB_PUBLIC_HOST=mongo.example",
	"TENANTSDB_MONGODB_PUBLIC_PORT=27017",
	"TENANTSDB_REDIS_LISTEN=0.0.0.0:7379",
	"TENANTSDB_REDIS_PUBLIC_HOST=cache.example",
	"TENANTSDB_REDIS_PUBLIC_PORT=6379",
	"TENANTSDB_SERVERS_0_NAME=main",
	"TENANTSDB_SERVERS_0_TYPE=PostgreSQL",
	"TENANTSDB_SERVERS_0_HOST=pg.internal",
	"TENANTSDB_SERVERS_0_PORT=5433",
	"TENANTSDB_SERVERS_0_USER=admin",
	"TENANTSDB_SERVERS_0_PASSWORD=secret",
	"TENANTSDB_SERVERS_0_DATABASE=maintenance",
	"TENANTSDB_SERVERS_0_TLS=verify",
	"TENANTSDB_SERVERS_0_CA=/tls/ca.crt",
	"TENANTSDB_SERVERS_1_NAME=local",
	"TENANTSDB_SERVERS_1_TYPE=postgres",
	"TENANTSDB_SERVERS_1_SOCKET=/run/postgresql",
	"TENANTSDB_SERVERS_1_USER=admin",
	"TENANTSDB_SERVERS_2_NAME=cache",
	"TENANTSDB_SERVERS_2_TYPE=Redis",
	"TENANTSDB_SERVERS_2_HOST=redis.internal",
	"TENANTSDB_SERVERS_2_PASSWORD=secret",
	"TENANTSDB_SERVERS_2_DATABASES=64",
	"TENANTSDB_SERVERS_3_NAME=documents",
	"TENANTSDB_SERVERS_3_TYPE=mongo",
	"TENANTSDB_SERVERS_3_URI=mongodb://a,b/?replicaSet=rs0",
	"TENANTSDB_SERVERS_3_USER=admin",
	"TENANTSDB_SERVERS_3_PASSWORD=secret",
	"TENANTSDB_LIMITS_DRAIN_TIMEOUT=45s",
	"TENANTSDB_LOG_LEVEL=debug",
	"TENANTSDB_LOG_FORMAT=text",
}

func TestEachKeyIsAVariableToo(t *testing.T) {
	got, err := loadConfig("", append([]string{"PATH=/bin"}, variables...))
	if err != nil {
		t.Fatal(err)
	}
	if want := completeConfig(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestVariablesWinOverTheFile(t *testing.T) {
	const odd = `#1: {"quoted"} null`
	got, err := loadConfig(writeConfig(t, complete), []string{
		"TENANTSDB_SERVERS_0_PASSWORD=" + odd,
		"TENANTSDB_SERVERS_4_NAME=third", "TENANTSDB_SERVERS_4_TYPE=postgres",
		"TENANTSDB_SERVERS_4_HOST=other", "TENANTSDB_SERVERS_4_USER=admin",
		"TENANTSDB_MASTER_KEY=abc",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := completeConfig()
	want.Servers[0].Password = odd
	want.Servers = append(want.Servers, PhysicalConfig{Name: "third", Type: "postgres", Host: "other", User: "admin"})
	want.MasterKey = "abc"
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestWhatIsWrongIsRefusedByItsName(t *testing.T) {
	for name, test := range map[string]struct {
		file    string // appended to a good one
		environ []string
		want    string
	}{
		"unknown key":              {file: "colour: blue\n", want: "colour"},
		"unknown nested key":       {file: "tls: {certificate: x}\n", want: "certificate"},
		"master key in the file":   {file: "master_key: abc\n", want: "master_key"},
		"unknown key's line":       {file: "colour: blue\n", want: `.yaml: line 3: unknown key "colour"`},
		"two mistakes":             {file: "colour: blue\ntls: {certificate: x}\n", want: `line 3: unknown key "colour"; line 4: unknown key "certificate"`},
		"a number for a list":      {file: "log: [1]\n", want: "line 3: must be keys with values"},
		"a word for a number":      {file: "redis: {public_port: many}\n", want: "line 3: must be a whole number"},
		"a number for a time":      {file: "limits: {drain_timeout: 30}\n", want: "line 3: must be a time such as 30s"},
		"two documents":            {file: "---\ndata_dir: /other\n", want: "more than one document"},
		"unknown variable":         {environ: []string{"TENANTSDB_COLOUR=blue"}, want: "TENANTSDB_COLOUR"},
		"unknown nested variable":  {environ: []string{"TENANTSDB_SERVERS_0_COLOUR=blue"}, want: "TENANTSDB_SERVERS_0_COLOUR"},
		"a server left out":        {environ: []string{"TENANTSDB_SERVERS_7_NAME=x"}, want: "TENANTSDB_SERVERS_7_NAME"},
		"variable of a wrong type": {environ: []string{"TENANTSDB_SERVERS_0_PORT=many"}, want: "TENANTSDB_SERVERS_0_PORT"},
		"no data folder":           {environ: []string{"TENANTSDB_DATA_DIR="}, want: "data_dir"},
		"certificate without key":  {environ: []string{"TENANTSDB_TLS_CERT=x"}, want: "tls"},
		"no port":                  {environ: []string{"TENANTSDB_ADMIN_LISTEN=localhost"}, want: "admin.listen"},
		"port 0":                   {environ: []string{"TENANTSDB_POSTGRESQL_LISTEN=:0"}, want: "postgresql.listen"},
		"named port":               {environ: []string{"TENANTSDB_POSTGRESQL_LISTEN=:pg"}, want: "postgresql.listen"},
		"no public host":           {environ: []string{"TENANTSDB_POSTGRESQL_PUBLIC_HOST="}, want: "postgresql.public_host"},
		"no public port":           {environ: []string{"TENANTSDB_POSTGRESQL_PUBLIC_PORT=70000"}, want: "postgresql.public_port"},
		"negative time":            {environ: []string{"TENANTSDB_LIMITS_DRAIN_TIMEOUT=-1s"}, want: "limits.drain_timeout"},
		"log level":                {environ: []string{"TENANTSDB_LOG_LEVEL=loud"}, want: "log.level"},
		"log format":               {environ: []string{"TENANTSDB_LOG_FORMAT=xml"}, want: "log.format"},
		"server without a name":    {environ: []string{"TENANTSDB_SERVERS_0_NAME="}, want: "servers[0]: name"},
		"server of no type":        {environ: []string{"TENANTSDB_SERVERS_0_TYPE=oracle"}, want: "servers[0]: type"},
		"server with no address":   {environ: []string{"TENANTSDB_SERVERS_0_HOST="}, want: "servers[0]: host, socket"},
		"server with two":          {environ: []string{"TENANTSDB_SERVERS_0_SOCKET=/run"}, want: "servers[0]: host, socket"},
		"no redis host":            {environ: []string{"TENANTSDB_REDIS_PUBLIC_HOST="}, want: "redis.public_host"},
		"redis port":               {environ: []string{"TENANTSDB_REDIS_LISTEN=:0"}, want: "redis.listen"},
		"redis with a database":    {environ: []string{"TENANTSDB_SERVERS_0_TYPE=redis", "TENANTSDB_SERVERS_0_DATABASE=3"}, want: "servers[0]: database"},
		"redis with one database":  {environ: []string{"TENANTSDB_SERVERS_0_TYPE=redis", "TENANTSDB_SERVERS_0_DATABASES=1"}, want: "servers[0]: databases"},
		"numbers of postgresql":    {environ: []string{"TENANTSDB_SERVERS_0_DATABASES=5"}, want: "servers[0]: databases"},
		"server's port":            {environ: []string{"TENANTSDB_SERVERS_0_PORT=-1"}, want: "servers[0]: port"},
		"server without a user":    {environ: []string{"TENANTSDB_SERVERS_0_USER="}, want: "servers[0]: user"},
		"uri of postgresql":        {environ: []string{"TENANTSDB_SERVERS_0_URI=mongodb://a"}, want: "servers[0]: uri"},
		"uri and host":             {environ: []string{"TENANTSDB_SERVERS_0_TYPE=mongodb", "TENANTSDB_SERVERS_0_URI=mongodb://a"}, want: "servers[0]: uri"},
		"uri of something else":    {environ: []string{"TENANTSDB_SERVERS_0_TYPE=mongodb", "TENANTSDB_SERVERS_0_HOST=", "TENANTSDB_SERVERS_0_URI=http://a"}, want: "servers[0]: uri"},
		"two users":                {environ: []string{"TENANTSDB_SERVERS_0_TYPE=mongodb", "TENANTSDB_SERVERS_0_HOST=", "TENANTSDB_SERVERS_0_URI=mongodb://u:p@a/"}, want: "servers[0]: user"},
		"mysql without a user":     {environ: []string{"TENANTSDB_SERVERS_0_TYPE=mysql", "TENANTSDB_SERVERS_0_USER="}, want: "servers[0]: user"},
		"mysql with a database":    {environ: []string{"TENANTSDB_SERVERS_0_TYPE=mysql", "TENANTSDB_SERVERS_0_DATABASE=x"}, want: "servers[0]: database"},
		"mysql port":               {environ: []string{"TENANTSDB_MYSQL_LISTEN=:0"}, want: "mysql.listen"},
		"no mongodb host":          {environ: []string{"TENANTSDB_MONGODB_PUBLIC_HOST="}, want: "mongodb.public_host"},
		"server's tls":             {environ: []string{"TENANTSDB_SERVERS_0_TLS=maybe"}, want: "servers[0]: tls"},
		"ca that verifies nothing": {environ: []string{"TENANTSDB_SERVERS_0_TLS=off", "TENANTSDB_SERVERS_0_CA=x"}, want: "servers[0]: ca"},
		"the same name twice": {environ: []string{
			"TENANTSDB_SERVERS_1_NAME=main", "TENANTSDB_SERVERS_1_TYPE=postgres",
			"TENANTSDB_SERVERS_1_HOST=x", "TENANTSDB_SERVERS_1_USER=x"}, want: "servers[1].name"},
	} {
		t.Run(name, func(t *testing.T) {
			const good = "data_dir: /data\nservers: [{name: main, type: postgres, host: pg, user: admin}]\n"
			if _, err := loadConfig(writeConfig(t, good), nil); err != nil {
				t.Fatalf("what is right was refused: %v", err)
			}
			_, err := loadConfig(writeConfig(t, good+test.file), test.environ)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want one that names %q", err, test.want)
			}
		})
	}
}

func TestAValueInTheWrongPlaceIsNotShown(t *testing.T) {
	_, byVariable := loadConfig("", append(variables, "TENANTSDB_SERVERS_0_PORT=hunter2"))
	_, byFile := loadConfig(writeConfig(t, "redis: {public_port: hunter2}\n"), variables)
	for _, err := range []error{byVariable, byFile} {
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v, want one without the value", err)
		}
	}
}
