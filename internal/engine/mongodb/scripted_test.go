package mongodb

import (
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/xdg-go/scram"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// userServer is a MongoDB server of version 7 with users, as far as workspaces
// need one: it keeps users, the schema and the journals, and who sent it what.
type userServer struct {
	model
	t      *testing.T
	socket string

	mu        sync.Mutex
	users     map[string]string       // passwords by "database.user"
	roles     map[string]string       // of users, by "database.user"; all are of that database
	granted   map[string]bson.D       // roles that were made, by "database.role"
	documents map[string][]bson.D     // by collection, of the journals
	seen      []userCommand           // in their order
	answers   map[string]bson.D       // to commands, instead of the usual
	conns     map[net.Conn]*userLogin // that are open
}

// userCommand is a command and the user who sent it.
type userCommand struct {
	user, database, name string
	command              bson.D
}

// userLogin is how far a connection's login is.
type userLogin struct {
	user, starting string
	talk           *scram.ServerConversation
}

const (
	opReply    = 1
	opQuery    = 2004 // the first hello of a driver
	opMsg      = 2013
	kindBody   = 0
	rootUser   = "admin.root"
	rootSecret = "planted-root-secret"
)

func newUserServer(t *testing.T) *userServer {
	t.Helper()
	s := &userServer{t: t, socket: filepath.Join(t.TempDir(), "server.sock"), users: map[string]string{rootUser: rootSecret},
		roles: map[string]string{}, granted: map[string]bson.D{},
		documents: map[string][]bson.D{}, answers: map[string]bson.D{}, conns: map[net.Conn]*userLogin{}}
	l, err := net.Listen("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[conn] = &userLogin{}
			s.mu.Unlock()
			serving.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		for conn := range s.conns {
			conn.Close()
		}
		s.mu.Unlock()
		serving.Wait()
	})
	return s
}

// uri is how the administrator reaches it.
func (s *userServer) uri() string {
	return "mongodb://root:" + rootSecret + "@" + url.PathEscape(s.socket) + "/?directConnection=true"
}

func (s *userServer) serve(conn net.Conn) {
	defer func() {
		conn.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, conn)
	}()
	for {
		id, command, legacy, err := readCommand(conn)
		if err != nil {
			return
		}
		s.mu.Lock()
		body, err := bson.Marshal(s.reply(s.conns[conn], command))
		s.mu.Unlock()
		if err != nil {
			s.t.Errorf("server: %v", err)
			return
		}
		if _, err := conn.Write(frame(id, legacy, body)); err != nil {
			return
		}
	}
}

// frame is the reply to a request in its bytes.
func frame(id uint32, legacy bool, body []byte) []byte {
	fields := []uint32{1, id, opMsg, 0}
	if legacy {
		fields = []uint32{1, id, opReply, 0, 0, 0, 0, 1}
	}
	b := make([]byte, 4, 64)
	for _, n := range fields {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	if !legacy {
		b = append(b, kindBody)
	}
	b = append(b, body...)
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	return b
}

// readCommand reads an OP_MSG, whose document sequences become arrays, or an
// OP_QUERY.
func readCommand(conn net.Conn) (id uint32, command bson.D, legacy bool, err error) {
	head := make([]byte, 20)
	if _, err := io.ReadFull(conn, head); err != nil {
		return 0, nil, false, err
	}
	length, opcode := binary.LittleEndian.Uint32(head), binary.LittleEndian.Uint32(head[12:])
	if length < 21 || length > 48_000_000 || opcode != opMsg && opcode != opQuery {
		return 0, nil, false, errors.New("neither OP_MSG nor OP_QUERY")
	}
	rest := make([]byte, length-20)
	if _, err := io.ReadFull(conn, rest); err != nil {
		return 0, nil, false, err
	}
	id = binary.LittleEndian.Uint32(head[4:])
	if opcode == opQuery {
		err := bson.Unmarshal(rest[slices.Index(rest, 0)+1+8:], &command)
		return id, command, true, err
	}
	for len(rest) > 4 {
		kind, size := rest[0], binary.LittleEndian.Uint32(rest[1:])
		section := rest[1 : 1+size]
		rest = rest[1+size:]
		if kind == kindBody {
			var d bson.D
			if err := bson.Unmarshal(section, &d); err != nil {
				return 0, nil, false, err
			}
			command = append(d, command...)
			continue
		}
		end := 4 + slices.Index(section[4:], 0)
		list := bson.A{}
		for documents := section[end+1:]; len(documents) > 0; {
			size := binary.LittleEndian.Uint32(documents)
			var d bson.D
			if err := bson.Unmarshal(documents[:size], &d); err != nil {
				return 0, nil, false, err
			}
			list, documents = append(list, d), documents[size:]
		}
		command = append(command, bson.E{Key: string(section[4:end]), Value: list})
	}
	return id, command, false, nil
}

func valueOf(d bson.D, key string) any {
	for _, e := range d {
		if e.Key == key {
			return e.Value
		}
	}
	return nil
}

func refuses(code int, name string) bson.D {
	return bson.D{{Key: "ok", Value: 0.0}, {Key: "errmsg", Value: name}, {Key: "code", Value: code}, {Key: "codeName", Value: name}}
}

// reply carries a command out; the caller holds mu.
func (s *userServer) reply(login *userLogin, command bson.D) bson.D {
	name := command[0].Key
	target, _ := command[0].Value.(string)
	database, _ := valueOf(command, "$db").(string)
	ok := bson.D{{Key: "ok", Value: 1.0}}
	switch name {
	case "hello", "isMaster", "ismaster":
		return append(bson.D{{Key: "isWritablePrimary", Value: true}, {Key: "helloOk", Value: true}, {Key: "maxWireVersion", Value: 21}, {Key: "minWireVersion", Value: 0},
			{Key: "maxBsonObjectSize", Value: 16 << 20}, {Key: "maxMessageSizeBytes", Value: 48_000_000}, {Key: "maxWriteBatchSize", Value: 100_000}, {Key: "logicalSessionTimeoutMinutes", Value: 30},
			{Key: "saslSupportedMechs", Value: bson.A{"SCRAM-SHA-256"}}}, ok...)
	case "saslStart", "saslContinue":
		return s.logIn(login, database, command)
	case "endSessions":
		return ok
	}
	s.seen = append(s.seen, userCommand{login.user, database, name, command})
	if login.user == "" {
		return refuses(13, "Unauthorized")
	}
	if !s.permits(login.user, database, name) {
		return refuses(codeUnauthorized, nameUnauthorized)
	}
	if answer, given := s.answers[name]; given {
		return answer
	}
	switch name {
	case "buildInfo":
		return append(bson.D{{Key: "version", Value: "7.0.5"}, {Key: "versionArray", Value: bson.A{7, 0, 5, 0}}}, ok...)
	case "usersInfo":
		found := bson.A{}
		for full := range s.users {
			if len(full) > len(database) && full[:len(database)+1] == database+"." {
				found = append(found, bson.D{{Key: "_id", Value: full}})
			}
		}
		return append(bson.D{{Key: "users", Value: found}}, ok...)
	case "createUser", "updateUser":
		_, exists := s.users[database+"."+target]
		if exists && name == "createUser" {
			return refuses(codeUserExists, "UserAlreadyExists")
		}
		s.users[database+"."+target], _ = valueOf(command, "pwd").(string)
		s.roles[database+"."+target] = roleIn(command)
		return ok
	case "createRole", "updateRole":
		_, exists := s.granted[database+"."+target]
		if exists && name == "createRole" {
			return refuses(codeRoleExists, "Location51002")
		}
		s.granted[database+"."+target] = command
		return ok
	case "dropAllRolesFromDatabase":
		for full := range s.granted {
			if len(full) > len(database) && full[:len(database)+1] == database+"." {
				delete(s.granted, full)
			}
		}
		return ok
	case "dropAllUsersFromDatabase":
		for full := range s.users {
			if len(full) > len(database) && full[:len(database)+1] == database+"." {
				delete(s.users, full)
			}
		}
		return ok
	}
	if database == journalDatabase {
		return s.keep(target, command)
	}
	if reply := s.run(database, command); reply != nil {
		return reply
	}
	return ok
}

// roleIn is the first of the roles that a command names.
func roleIn(command bson.D) string {
	list, _ := valueOf(command, "roles").(bson.A)
	if len(list) == 0 {
		return ""
	}
	first, _ := list[0].(bson.D)
	role, _ := valueOf(first, "role").(string)
	return role
}

// permits says whether a user may run a command, by the rights that
// https://www.mongodb.com/docs/manual/reference/privilege-actions/ has it need.
// The caller holds mu.
func (s *userServer) permits(user, database, command string) bool {
	action := map[string]string{
		"insert": "insert", "update": "update", "delete": "remove", "findAndModify": "update", "createIndexes": "createIndex",
		"create": "insert", // or createCollection
		"drop":   "dropCollection", "dropIndexes": "dropIndex", "collMod": "collMod", "renameCollection": "renameCollectionSameDB",
		"convertToCapped": "convertToCapped", "dropDatabase": "dropDatabase",
	}[command]
	if user == rootUser || action == "" {
		return true
	}
	of, _, _ := strings.Cut(user, ".")
	if of != database && command != "renameCollection" {
		return false
	}
	if s.roles[user] == "dbOwner" {
		return true
	}
	privileges, _ := valueOf(s.granted[of+"."+s.roles[user]], "privileges").(bson.A)
	return slices.ContainsFunc(privileges, func(item any) bool {
		d, _ := item.(bson.D)
		actions, _ := valueOf(d, "actions").(bson.A)
		return slices.Contains(actions, any(action))
	})
}

// keep is what the server does with a journal: its states are documents, of
// which the one with the greatest number is asked for.
func (s *userServer) keep(journal string, command bson.D) bson.D {
	numberOf := func(d bson.D) int64 {
		n, _ := valueOf(d, "_id").(int64)
		return n
	}
	switch command[0].Key {
	case "insert":
		list, _ := valueOf(command, "documents").(bson.A)
		for _, item := range list {
			d, _ := item.(bson.D)
			if slices.ContainsFunc(s.documents[journal], func(other bson.D) bool { return numberOf(other) == numberOf(d) }) {
				return bson.D{{Key: "n", Value: 0}, {Key: "ok", Value: 1.0}, {Key: "writeErrors", Value: bson.A{
					bson.D{{Key: "index", Value: 0}, {Key: "code", Value: codeDuplicateKey}, {Key: "errmsg", Value: "E11000 duplicate key"}}}}}
			}
			s.documents[journal] = append(s.documents[journal], d)
		}
	case "find":
		all := bson.A{}
		if states := s.documents[journal]; len(states) > 0 {
			all = bson.A{slices.MaxFunc(states, func(a, b bson.D) int { return cmp.Compare(numberOf(a), numberOf(b)) })}
		}
		return s.cursor(journalDatabase, all)
	case "drop":
		delete(s.documents, journal)
	case "listCollections":
		return s.cursor(journalDatabase, bson.A{})
	}
	return bson.D{{Key: "n", Value: 1}, {Key: "ok", Value: 1.0}}
}

// logIn runs the server's side of SCRAM-SHA-256.
func (s *userServer) logIn(login *userLogin, database string, command bson.D) bson.D {
	payload, _ := valueOf(command, "payload").(bson.Binary)
	if command[0].Key == "saslStart" {
		server, err := scram.SHA256.NewServer(func(user string) (scram.StoredCredentials, error) {
			password, known := s.users[database+"."+user]
			if !known {
				return scram.StoredCredentials{}, errors.New("unknown user")
			}
			client, err := scram.SHA256.NewClient(user, password, "")
			if err != nil {
				return scram.StoredCredentials{}, err
			}
			login.starting = database + "." + user
			return client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "a salt of a test", Iters: 4096})
		})
		if err != nil {
			s.t.Errorf("server: %v", err)
			return refuses(1, "InternalError")
		}
		login.talk = server.NewConversation()
	}
	answer, err := login.talk.Step(string(payload.Data))
	if err != nil {
		return refuses(codeAuthFailed, "AuthenticationFailed")
	}
	if login.talk.Valid() {
		login.user = login.starting
	}
	return bson.D{{Key: "conversationId", Value: 1}, {Key: "done", Value: login.talk.Done()}, {Key: "payload", Value: []byte(answer)}, {Key: "ok", Value: 1.0}}
}

// sent are the commands, with who sent them, since the last call.
func (s *userServer) sent() (all []userCommand) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, s.seen = s.seen, nil
	return all
}

// password is a user's; empty where there is none.
func (s *userServer) password(full string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.users[full]
}

func (s *userServer) setPassword(full, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[full] = password
}
