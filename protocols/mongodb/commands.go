package mongodb

import "strings"

// place is what becomes of a command on one database.
type place byte

const (
	refused  place = iota
	passes         // goes to the server
	answered       // by the proxy itself
)

type answerFunc func(c *client, q *request) ([]byte, *failure)

// command is what becomes of a command, by the database that it is for.
type command struct {
	own   place // the workspace's
	admin place
	// open: also before authentication.
	open bool
	// why it is refused, if that has a reason of its own.
	why string
	// answer is the proxy's own, and also that to a client that has not named
	// its workspace yet.
	answer answerFunc
	// look refuses what is within a command that passes.
	look func(database string, q *request) *failure
	// names is the database of a command for admin, by its namespaces.
	names func(q *request) (string, bool)
	// sequences are the names that its document sequences may have.
	sequences []string

	// reads says that it writes nothing, as far as readOnly does not look.
	reads  bool
	timed  bool       // it takes maxTimeMS
	cursor bool       // its reply is a cursor's, of documents
	change changeKind // of the schema
}

// changeKind is how a command may change the schema.
type changeKind byte

const (
	changesNothing changeKind = iota
	changesSchema             // it is for that
	mayCreate                 // the collection it writes to, where there is none
	mayWriteOut               // the collection that its pipeline or output names
	mayCommit                 // what was changed in its transaction
)

// commands are all that pass or are answered, and those that are refused with
// a reason; no other is known. The names are those of
// https://www.mongodb.com/docs/manual/reference/command/.
type commands map[string]*command

const (
	whyUsers  = "users and roles belong to the proxy: log in with the project's user and password"
	whyServer = "it administers the server"
	whyOthers = "it shows what others do on the server"
)

func newCommands() commands {
	t := commands{}
	t.addOwn()
	t.addAnswered()
	t.add(command{open: true, why: whyUsers, answer: answerAuthenticate}, "authenticate")
	t.refuse(whyUsers, "copydbgetnonce getnonce createUser updateUser dropUser dropAllUsersFromDatabase "+
		"grantRolesToUser revokeRolesFromUser usersInfo createRole updateRole dropRole dropAllRolesFromDatabase "+
		"grantPrivilegesToRole revokePrivilegesFromRole grantRolesToRole revokeRolesFromRole rolesInfo invalidateUserCache")
	t.refuse(whyOthers, "currentOp killOp top lockInfo serverStatus hostInfo connPoolStats shardConnPoolStats "+
		"connPoolSync getCmdLineOpts getShardMap getDiagnosticData netstat cursorInfo features listCommands "+
		"killAllSessions killAllSessionsByPattern replSetGetStatus replSetGetConfig getDefaultRWConcern "+
		"getClusterParameter getChangeStreamState getAuditConfig profile isdbgrid "+
		"availableQueryOptions driverOIDTest whatsmysni startRecordingTraffic stopRecordingTraffic")
	t.refuse(whyServer, "applyOps replSetAbortPrimaryCatchUp replSetFreeze replSetGetRBID replSetInitiate "+
		"replSetMaintenance replSetReconfig replSetResizeOplog replSetStepDown replSetStepUp replSetSyncFrom "+
		"replSetHeartbeat replSetRequestVotes replSetUpdatePosition replSetTest appendOplogNote resync "+
		"abortReshardCollection addShard addShardToZone analyzeShardKey balancerCollectionStatus balancerStart "+
		"balancerStatus balancerStop checkShardingIndex checkMetadataConsistency cleanupOrphaned "+
		"cleanupReshardCollection clearJumboFlag commitReshardCollection configureCollectionBalancing "+
		"configureQueryAnalyzer enableSharding flushRouterConfig getShardVersion listShards medianKey moveChunk "+
		"moveCollection movePrimary moveRange mergeChunks mergeAllChunksOnShard refineCollectionShardKey "+
		"removeShard removeShardFromZone reshardCollection setAllowMigrations setShardVersion shardCollection "+
		"shardingState split splitChunk splitVector transitionFromDedicatedConfigServer "+
		"transitionToDedicatedConfigServer unsetSharding unshardCollection updateZoneKeyRange untrackUnshardedCollection "+
		"replicateSearchIndexCommand "+
		"clone cloneCollection copydb repairDatabase repairCursor dropConnections fsync fsyncUnlock logRotate "+
		"rotateCertificates setAuditConfig setChangeStreamState setClusterParameter setDefaultRWConcern "+
		"setFeatureCompatibilityVersion setIndexCommitQuorum setParameter setQuerySettings removeQuerySettings "+
		"setUserWriteBlockMode setFreeMonitoring shutdown touch closeAllDatabases compactStructuredEncryptionData "+
		"cleanupStructuredEncryptionData logApplicationMessage logMessage configureFailPoint captrunc "+
		"emptycapped godinsert sleep testDeprecation reapLogicalSessionCacheNow refreshLogicalSessionCacheNow "+
		"prepareTransaction coordinateCommitTransaction handshake exportCollection importCollection "+
		"oidcListKeys oidcRefreshKeys autoSplitVector streams_startStreamProcessor "+
		"getQueryableEncryptionCountInfo debugError internalRenameIfOptionsAndIndexesMatch")
	return t
}

func (t commands) add(c command, names string) {
	for _, name := range strings.Fields(names) {
		t[name] = &c
	}
}

func (t commands) refuse(why, names string) { t.add(command{why: why}, names) }

// addOwn adds what passes to the workspace's own database.
func (t commands) addOwn() {
	own := command{own: passes}
	reading := command{own: passes, reads: true}
	t.add(command{own: passes, reads: true, timed: true, cursor: true}, "find")
	t.add(command{own: passes, reads: true, timed: true, cursor: true, look: lookPipeline, change: mayWriteOut}, "aggregate")
	t.add(command{own: passes, reads: true, cursor: true}, "getMore")
	t.add(reading, "killCursors listCollections listIndexes collStats collstats dbStats dbstats dataSize datasize "+
		"dbHash dbhash filemd5 getLastError getlasterror listSearchIndexes startSession")
	t.add(own, "validate reIndex compact planCacheClear planCacheClearFilters planCacheListFilters planCacheSetFilter "+
		"planCacheListPlans planCacheListQueryShapes")
	t.add(command{own: passes, reads: true, timed: true}, "count")
	t.add(reading, "distinct") // FerretDB refuses a limit of its own there
	t.add(command{own: passes, timed: true, look: lookMapReduce, change: mayWriteOut}, "mapReduce mapreduce")
	t.add(command{own: passes, reads: true, look: lookExplain}, "explain")
	t.add(command{own: passes, timed: true, look: lookWrite, change: mayCreate, sequences: []string{"documents"}}, "insert")
	t.add(command{own: passes, timed: true, look: lookWrite, change: mayCreate, sequences: []string{"updates"}}, "update")
	t.add(command{own: passes, timed: true, look: lookWrite, sequences: []string{"deletes"}}, "delete")
	t.add(command{own: passes, timed: true, look: lookWrite, change: mayCreate}, "findAndModify findandmodify")
	t.add(command{own: passes, look: lookPipeline, change: changesSchema}, "create collMod")
	t.add(command{own: passes, change: changesSchema}, "createIndexes drop dropDatabase dropIndexes deleteIndexes "+
		"convertToCapped cloneCollectionAsCapped createSearchIndexes dropSearchIndex updateSearchIndex")
	t.add(command{admin: passes, look: lookRename, names: renamedIn, change: changesSchema}, "renameCollection")
	t.add(command{admin: passes, timed: true, look: lookBulkWrite, names: writtenIn, sequences: []string{"ops", "nsInfo"},
		change: mayWriteOut}, "bulkWrite")
}

// addAnswered adds what the proxy answers, for some databases.
func (t commands) addAnswered() {
	t.add(command{own: passes, admin: answered, open: true, reads: true, answer: answerPing}, "ping")
	t.add(command{own: answered, admin: answered, open: true, answer: answerHello}, "hello isMaster ismaster")
	t.add(command{own: answered, admin: answered, open: true, answer: answerBuildInfo}, "buildInfo buildinfo")
	t.add(command{own: answered, admin: answered, answer: answerWhatsMyURI}, "whatsmyuri")
	t.add(command{own: answered, admin: answered, open: true, answer: answerConnectionStatus}, "connectionStatus")
	t.add(command{own: answered, admin: answered, answer: answerLogout}, "logout")
	t.add(command{own: answered, admin: answered, answer: answerSASL}, "saslStart saslContinue")
	t.add(command{own: passes, admin: passes, reads: true, answer: answerOK}, "endSessions refreshSessions")
	t.add(command{own: passes, admin: passes, reads: true, look: lookKillSessions, answer: answerOK}, "killSessions")
	t.add(command{admin: passes, reads: true, change: mayCommit}, "commitTransaction")
	t.add(command{admin: passes, reads: true}, "abortTransaction")
	t.add(command{admin: answered, answer: answerListDatabases}, "listDatabases")
	t.add(command{admin: answered, answer: answerGetParameter}, "getParameter")
	t.add(command{admin: answered, answer: answerGetLog}, "getLog")
	t.add(command{admin: answered, answer: answerFreeMonitoring}, "getFreeMonitoringStatus")
}

// onDatabase is what becomes of q, which is on the database of a session bound
// to own.
func (c *command) onDatabase(own string, q *request) place {
	switch string(q.database) {
	case own:
		return c.own
	case "admin":
		return c.admin
	}
	return refused
}

// permits says whether the command takes q's document sequences.
func (c *command) permits(q *request) bool {
	for _, name := range q.sequences[:q.n] {
		if !containsName(c.sequences, name) {
			return false
		}
	}
	return true
}

func containsName(names []string, name []byte) bool {
	for _, n := range names {
		if n == string(name) {
			return true
		}
	}
	return false
}

func noSuchCommand(name []byte) *failure {
	return commandNotFound("no such command: '%s'", printable(name))
}

// notYours says that a database is not the client's, whether or not it exists.
func notYours(q *request) *failure {
	return unauthorized("not authorized on %s to execute command %s", printable(q.database), printable(q.name))
}

// refusedOn is why q is refused where it is.
func refusedOn(q *request, c *command) *failure {
	switch {
	case c.why != "":
		return unauthorized("command %s is not available in a workspace: %s", printable(q.name), c.why)
	case string(q.database) == "admin":
		return unauthorized("command %s can't be run on admin: run it on the workspace's database", printable(q.name))
	}
	return unauthorized("command %s must be run on admin", printable(q.name))
}
