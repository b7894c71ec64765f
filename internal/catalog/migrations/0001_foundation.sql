-- Times are microseconds since 1970 UTC; documents are JSON.

CREATE TABLE secrets (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE projects (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE credentials (
    id         TEXT PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    sealed     BLOB NOT NULL,
    iterations INTEGER NOT NULL,
    salt       BLOB NOT NULL,
    stored_key BLOB NOT NULL,
    server_key BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX credentials_of_project ON credentials (project_id);

CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY,
    project_id   TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    prefix       TEXT NOT NULL,
    hash         BLOB NOT NULL UNIQUE,
    role         TEXT NOT NULL CHECK (role IN ('admin', 'write', 'read')),
    scope_type   TEXT NOT NULL CHECK (scope_type IN ('project', 'workspace', 'tenant')),
    scope_values TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    revoked_at   INTEGER
) STRICT;
CREATE INDEX api_keys_of_project ON api_keys (project_id);

-- A project with workspaces can't be removed: their databases must go first.
CREATE TABLE workspaces (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id  TEXT NOT NULL REFERENCES projects (id),
    name        TEXT NOT NULL,
    type        TEXT NOT NULL CHECK (type IN ('postgresql', 'mysql', 'mongodb', 'redis')),
    mode        TEXT NOT NULL CHECK (mode IN ('tenant', 'control')),
    state       TEXT NOT NULL CHECK (state IN ('creating', 'ready', 'deleting')),
    server      TEXT NOT NULL,
    database    TEXT NOT NULL,
    role        TEXT NOT NULL,
    role_secret BLOB NOT NULL,
    settings    TEXT NOT NULL,
    version     INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    UNIQUE (project_id, name),
    UNIQUE (server, database)
) STRICT;

-- A version is one unit of committed changes. unit is NULL where the engine
-- named none.
CREATE TABLE versions (
    workspace_id INTEGER NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    version      INTEGER NOT NULL,
    unit         TEXT,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, version),
    UNIQUE (workspace_id, unit)
) STRICT;

-- A skipped or reverted entry stays as the proof that its journal row has been
-- seen, so that reading the journal again can't bring it back.
CREATE TABLE entries (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    journal_id   INTEGER NOT NULL,
    status       TEXT NOT NULL CHECK (status IN ('pending', 'deployed', 'skipped', 'reverted')),
    statement    TEXT NOT NULL,
    operation    TEXT NOT NULL,
    object_type  TEXT NOT NULL,
    object       TEXT NOT NULL,
    identity     TEXT NOT NULL,
    reversible   INTEGER NOT NULL,
    reverse      TEXT NOT NULL,
    why_not      TEXT NOT NULL,
    needs        TEXT NOT NULL,
    session      TEXT NOT NULL,
    source       TEXT NOT NULL,
    warnings     TEXT NOT NULL,
    changed_at   INTEGER NOT NULL,
    UNIQUE (workspace_id, journal_id),
    FOREIGN KEY (workspace_id, version) REFERENCES versions (workspace_id, version) ON DELETE CASCADE
) STRICT;
CREATE INDEX entries_of_version ON entries (workspace_id, version);
CREATE INDEX entries_pending ON entries (workspace_id, id) WHERE status = 'pending';
