package mongodb

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// published are the commands of the server's reference, by where they may be
// run: on the own database, on admin, or nowhere.
var published = map[string]string{
	"own": `aggregate count distinct mapReduce explain find findAndModify findandmodify getMore insert update delete
		killCursors listCollections listIndexes collStats dbStats dataSize dbHash validate reIndex compact filemd5
		planCacheClear planCacheClearFilters planCacheListFilters planCacheSetFilter create collMod createIndexes drop
		dropDatabase dropIndexes convertToCapped cloneCollectionAsCapped createSearchIndexes dropSearchIndex
		updateSearchIndex listSearchIndexes startSession getLastError`,
	"admin": `renameCollection bulkWrite commitTransaction abortTransaction listDatabases getParameter getLog
		getFreeMonitoringStatus`,
	"both": `ping hello isMaster ismaster buildInfo connectionStatus whatsmyuri logout saslStart saslContinue endSessions
		refreshSessions killSessions`,
	"none": `abortReshardCollection addShard addShardToZone analyzeShardKey appendOplogNote applyOps authenticate
		autoSplitVector availableQueryOptions balancerCollectionStatus balancerStart balancerStatus balancerStop
		checkMetadataConsistency checkShardingIndex cleanupOrphaned cleanupReshardCollection clearJumboFlag clone
		cloneCollection commitReshardCollection compactStructuredEncryptionData configureCollectionBalancing
		configureQueryAnalyzer connPoolStats connPoolSync copydb createRole createUser currentOp cursorInfo
		dropAllRolesFromDatabase dropAllUsersFromDatabase dropConnections dropRole dropUser driverOIDTest
		enableSharding features flushRouterConfig fsync fsyncUnlock getAuditConfig getClusterParameter getCmdLineOpts
		getDefaultRWConcern getShardMap getShardVersion getnonce grantPrivilegesToRole grantRolesToRole
		grantRolesToUser hostInfo invalidateUserCache isdbgrid killAllSessions killAllSessionsByPattern killOp
		listCommands listShards lockInfo logApplicationMessage logRotate medianKey mergeAllChunksOnShard mergeChunks
		moveChunk moveCollection movePrimary moveRange netstat profile refineCollectionShardKey removeQuerySettings
		removeShard removeShardFromZone replSetAbortPrimaryCatchUp replSetFreeze replSetGetConfig replSetGetStatus
		replSetInitiate replSetMaintenance replSetReconfig replSetResizeOplog replSetStepDown replSetSyncFrom
		reshardCollection resync revokePrivilegesFromRole revokeRolesFromRole revokeRolesFromUser rolesInfo
		rotateCertificates serverStatus setAllowMigrations setAuditConfig setClusterParameter setDefaultRWConcern
		setFeatureCompatibilityVersion setFreeMonitoring setIndexCommitQuorum setParameter setQuerySettings
		setShardVersion setUserWriteBlockMode shardCollection shardConnPoolStats shardingState shutdown sleep split
		splitChunk splitVector top touch transitionFromDedicatedConfigServer transitionToDedicatedConfigServer
		unsetSharding unshardCollection updateRole updateUser updateZoneKeyRange usersInfo _isSelf _hashBSONElement
		atlasVersion eval geoNear group parallelCollectionScan getPrevError resetError noSuchCommand Find`,
}

// TestEveryPublishedCommand holds the table to its databases: none passes to
// another than the own one.
func TestEveryPublishedCommand(t *testing.T) {
	table := newCommands()
	seen := map[string]bool{}
	for where, names := range published {
		for _, name := range strings.Fields(names) {
			seen[name] = true
			c := table[name]
			if c == nil {
				if where != "none" {
					t.Errorf("%s is not in the table", name)
				}
				continue
			}
			for database, may := range map[string]bool{
				"own":   where == "own" || where == "both",
				"admin": where == "admin" || where == "both",
				"other": false, "config": false, "local": false, "$external": false, "": false, "ADMIN": false, "own2": false,
			} {
				q := &request{database: []byte(database)}
				if got := c.onDatabase("own", q) != refused; got != may {
					t.Errorf("%s on %q: got %v, want %v", name, database, got, may)
				}
			}
		}
	}
	for name, c := range table {
		if !seen[name] && (c.own == passes || c.admin == passes) && strings.ToLower(name) != name && name != "deleteIndexes" && !strings.HasPrefix(name, "planCacheList") {
			t.Errorf("%s passes, and is not among the published commands", name)
		}
	}
}

// TestRefusedCommandsAreRefusedInWords runs all that are refused, on a session.
func TestRefusedCommandsAreRefusedInWords(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Control, workspace.Settings{})
	c := s.connect(t)
	for _, name := range strings.Fields(published["none"]) {
		for _, d := range []bson.D{s.cmd(bson.D{{Key: name, Value: 1}}), admin(bson.D{{Key: name, Value: 1}})} {
			got := c.do(d)
			if code := got["code"]; (code != int32(13) && code != int32(59)) || got["errmsg"] == "" {
				t.Errorf("%s: got %v, want it refused", name, got)
			}
		}
	}
}

// escape is a way out of the workspace's database.
type escape struct {
	name string
	cmd  bson.D
}

func escapes(own, other string) []escape {
	arr := func(v ...any) bson.A { return append(bson.A{}, v...) }
	pipeline := func(stages ...any) bson.D {
		return bson.D{{Key: "aggregate", Value: "c"}, {Key: "pipeline", Value: arr(stages...)}, {Key: "cursor", Value: bson.D{}}, {Key: "$db", Value: own}}
	}
	away := bson.D{{Key: "db", Value: other}, {Key: "coll", Value: "secrets"}}
	stage := func(name string, value any) bson.D { return bson.D{{Key: name, Value: value}} }
	lookup := stage("$lookup", bson.D{{Key: "from", Value: away}, {Key: "as", Value: "x"}})
	all := []escape{
		{"find", bson.D{{Key: "find", Value: "secrets"}, {Key: "$db", Value: other}}},
		{"dropDatabase", bson.D{{Key: "dropDatabase", Value: 1}, {Key: "$db", Value: other}}},
		{"config", bson.D{{Key: "find", Value: "system.sessions"}, {Key: "$db", Value: "config"}}},
		{"local", bson.D{{Key: "find", Value: "oplog.rs"}, {Key: "$db", Value: "local"}}},
		{"admin users", bson.D{{Key: "find", Value: "system.users"}, {Key: "$db", Value: "admin"}}},
		{"admin aggregate", bson.D{{Key: "aggregate", Value: 1}, {Key: "pipeline", Value: arr(stage("$currentOp", bson.D{}))}, {Key: "cursor", Value: bson.D{}}, {Key: "$db", Value: "admin"}}},
		{"$lookup", pipeline(lookup)},
		{"$lookup in $facet", pipeline(stage("$facet", bson.D{{Key: "a", Value: arr(lookup)}}))},
		{"$lookup in $lookup", pipeline(stage("$lookup", bson.D{{Key: "from", Value: "c"}, {Key: "as", Value: "x"}, {Key: "pipeline", Value: arr(lookup)}}))},
		{"$graphLookup", pipeline(stage("$graphLookup", bson.D{{Key: "from", Value: away}}))},
		{"$unionWith", pipeline(stage("$unionWith", away))},
		{"$unionWith's pipeline", pipeline(stage("$unionWith", bson.D{{Key: "coll", Value: "c"}, {Key: "pipeline", Value: arr(lookup)}}))},
		{"$out", pipeline(stage("$out", away))},
		{"$out, db last", pipeline(stage("$out", bson.D{{Key: "coll", Value: "x"}, {Key: "db", Value: own}, {Key: "db", Value: other}}))},
		{"$merge", pipeline(stage("$merge", bson.D{{Key: "into", Value: away}}))},
		{"$rankFusion", pipeline(stage("$rankFusion", bson.D{{Key: "input", Value: bson.D{{Key: "pipelines", Value: bson.D{{Key: "a", Value: arr(lookup)}}}}}}))},
		{"two pipelines", append(pipeline(), bson.E{Key: "pipeline", Value: arr(lookup)})},
		{"two databases", append(pipeline(), bson.E{Key: "$db", Value: other})},
		{"$changeStream of all", pipeline(stage("$changeStream", bson.D{{Key: "allChangesForCluster", Value: true}}))},
		{"a view", bson.D{{Key: "create", Value: "v"}, {Key: "viewOn", Value: "c"}, {Key: "pipeline", Value: arr(lookup)}, {Key: "$db", Value: own}}},
		{"collMod of a view", bson.D{{Key: "collMod", Value: "v"}, {Key: "viewOn", Value: "c"}, {Key: "pipeline", Value: arr(lookup)}, {Key: "$db", Value: own}}},
		{"system.views", bson.D{{Key: "insert", Value: "system.views"}, {Key: "documents", Value: arr(bson.D{})}, {Key: "$db", Value: own}}},
		{"mapReduce", bson.D{{Key: "mapReduce", Value: "c"}, {Key: "out", Value: bson.D{{Key: "replace", Value: "x"}, {Key: "db", Value: other}}}, {Key: "$db", Value: own}}},
		{"rename from", admin(bson.D{{Key: "renameCollection", Value: other + ".c"}, {Key: "to", Value: own + ".c"}})},
		{"rename to", admin(bson.D{{Key: "renameCollection", Value: own + ".c"}, {Key: "to", Value: other + ".c"}})},
		{"rename to a longer name", admin(bson.D{{Key: "renameCollection", Value: own + ".c"}, {Key: "to", Value: own + "2.c"}})},
		{"bulkWrite", admin(bson.D{{Key: "bulkWrite", Value: 1}, {Key: "ops", Value: arr()}, {Key: "nsInfo", Value: arr(bson.D{{Key: "ns", Value: own + ".c"}}, bson.D{{Key: "ns", Value: other + ".c"}})}})},
		{"explain", bson.D{{Key: "explain", Value: bson.D{{Key: "find", Value: "c"}, {Key: "$db", Value: other}}}, {Key: "$db", Value: own}}},
		{"explain aggregate", bson.D{{Key: "explain", Value: bson.D{{Key: "aggregate", Value: "c"}, {Key: "pipeline", Value: arr(lookup)}}}, {Key: "$db", Value: own}}},
		{"explain what it does not know", bson.D{{Key: "explain", Value: bson.D{{Key: "serverStatus", Value: 1}}}, {Key: "$db", Value: own}}},
		{"killSessions of all", admin(bson.D{{Key: "killSessions", Value: arr()}})},
		{"another parameter", admin(bson.D{{Key: "getParameter", Value: "*"}})},
		{"the log", admin(bson.D{{Key: "getLog", Value: "global"}})},
		{"a second login", plainStart(testUser, testPassword)},
	}
	for _, name := range []string{"$currentOp", "$listLocalSessions", "$listSessions", "$backupCursor", "$queryStats", "$shardedDataDistribution", "$_internalInhibitOptimization"} {
		all = append(all, escape{name, pipeline(stage(name, bson.D{}))},
			escape{name + " in $facet", pipeline(stage("$facet", bson.D{{Key: "a", Value: arr(stage(name, bson.D{}))}}))})
	}
	return all
}

// TestNothingReachesAnotherDatabase runs every way out that is known.
func TestNothingReachesAnotherDatabase(t *testing.T) {
	w := newWorld(t)
	s, other := w.workspace(t, workspace.Control, workspace.Settings{}), w.workspace(t, workspace.Control, workspace.Settings{})
	other.connect(t).want(bson.D{{Key: "n", Value: 1}}, other.cmd(bson.D{{Key: "insert", Value: "secrets"}, {Key: "documents", Value: bson.A{bson.D{{Key: "_id", Value: 1}}}}}))
	c := s.connect(t)
	for _, e := range escapes(s.route.Database, other.route.Database) {
		t.Run(e.name, func(t *testing.T) {
			if strings.HasPrefix(e.name, "two databases") {
				apart := s.connect(t)
				apart.request(0, e.cmd)
				if got := apart.reply(); got["ok"] != 0.0 {
					t.Errorf("got %v, want it refused", got)
				}
				apart.ended()
				return
			}
			got := c.do(e.cmd)
			if code := got["code"]; !slices.Contains([]any{int32(9), int32(13), int32(59)}, code) {
				t.Errorf("got %v, want it refused", got)
			}
		})
	}
	got := other.connect(t).do(other.cmd(bson.D{{Key: "find", Value: "secrets"}}))
	if !strings.Contains(fmt.Sprint(got["cursor"]), "_id") {
		t.Errorf("the other workspace has %v", got)
	}
}

// TestPipelinesCannotHideInSequences sends what a rule looks at as a document
// sequence.
func TestPipelinesCannotHideInSequences(t *testing.T) {
	w := newWorld(t)
	s, other := w.workspace(t, workspace.Control, workspace.Settings{}), w.workspace(t, workspace.Control, workspace.Settings{})
	lookup := encode(t, bson.D{{Key: "$lookup", Value: bson.D{{Key: "from", Value: bson.D{{Key: "db", Value: other.route.Database}, {Key: "coll", Value: "c"}}}}}})
	for _, first := range []bool{true, false} {
		c := s.connect(t)
		c.id++
		body := encode(t, s.cmd(bson.D{{Key: "aggregate", Value: "c"}, {Key: "cursor", Value: bson.D{}}}))
		c.send(withSequence(c.id, body, "pipeline", lookup, first))
		if got := c.reply(); got["code"] != int32(9) {
			t.Errorf("pipeline in a sequence: got %v", got)
		}
		c.id++
		bulk := encode(t, admin(bson.D{{Key: "bulkWrite", Value: 1}, {Key: "ops", Value: bson.A{}}}))
		ns := encode(t, bson.D{{Key: "ns", Value: other.route.Database + ".c"}})
		c.send(withSequence(c.id, bulk, "nsInfo", ns, first))
		if got := c.reply(); got["code"] != int32(13) {
			t.Errorf("namespaces in a sequence: got %v", got)
		}
	}
}

// TestCompressedCommandsAreInspected sends every way out in each compression that
// clients may choose.
func TestCompressedCommandsAreInspected(t *testing.T) {
	w := newWorld(t)
	s, other := w.workspace(t, workspace.Control, workspace.Settings{}), w.workspace(t, workspace.Control, workspace.Settings{})
	for _, method := range []compressor{noCompressor, snappyMethod, zlibMethod, zstdMethod} {
		c := s.connect(t)
		for _, e := range escapes(s.route.Database, other.route.Database) {
			if strings.HasPrefix(e.name, "two databases") {
				continue // ends its connection
			}
			c.id++
			packed, err := w.protocol.codecs.appendPacked(nil, method, appendMessage(nil, c.id, 0, 0, encode(t, e.cmd)))
			if err != nil {
				t.Fatal(err)
			}
			c.send(packed)
			h, b := c.read()
			if h.opcode == opCompressed {
				if b, _, err = w.protocol.codecs.unpack(b, h); err != nil {
					t.Fatalf("%v, %s: %v", method, e.name, err)
				}
				if h, err = readHeader(b, maxReply); err != nil {
					t.Fatalf("%v, %s: %v", method, e.name, err)
				}
			}
			if got := body(t, h, b); !slices.Contains([]any{int32(9), int32(13), int32(59)}, got["code"]) {
				t.Errorf("%v, %s: got %v, want it refused", method, e.name, got)
			}
		}
	}
}

// withSequence is an OP_MSG with a body and one document sequence.
func withSequence(id int32, body []byte, name string, documents []byte, first bool) []byte {
	sequence := append([]byte{1}, 0, 0, 0, 0)
	sequence = append(append(append(sequence, name...), 0), documents...)
	putLength(sequence[1:], len(sequence)-1)
	b := appendHeader(nil, header{0, id, 0, opMsg})
	b = append(b, 0, 0, 0, 0)
	if first {
		b = append(b, sequence...)
	}
	b = append(append(b, 0), body...)
	if !first {
		b = append(b, sequence...)
	}
	putLength(b, len(b))
	return b
}

func putLength(b []byte, n int) {
	b[0], b[1], b[2], b[3] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
}
