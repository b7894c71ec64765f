CREATE TABLE tenants (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id TEXT NOT NULL REFERENCES projects (id),
    name       TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('ready', 'suspended', 'trash')),
    created_at INTEGER NOT NULL,
    UNIQUE (project_id, name)
) STRICT;

-- A workspace that tenants have databases of can't be removed. applying is the
-- version that the database is getting, 0 between deployments. login is the user
-- name of its clients, and the columns behind it are their password.
CREATE TABLE tenant_databases (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id       INTEGER NOT NULL REFERENCES tenants (id),
    workspace_id    INTEGER NOT NULL REFERENCES workspaces (id),
    state           TEXT NOT NULL CHECK (state IN ('creating', 'ready', 'deleting')),
    isolation_level INTEGER NOT NULL,
    server          TEXT NOT NULL,
    database        TEXT NOT NULL,
    role            TEXT NOT NULL,
    role_secret     BLOB NOT NULL,
    owner           TEXT NOT NULL,
    owner_secret    BLOB NOT NULL,
    login           TEXT NOT NULL UNIQUE,
    credential      TEXT NOT NULL,
    sealed          BLOB NOT NULL,
    iterations      INTEGER NOT NULL,
    salt            BLOB NOT NULL,
    stored_key      BLOB NOT NULL,
    server_key      BLOB NOT NULL,
    settings        TEXT NOT NULL,
    version         INTEGER NOT NULL,
    applying        INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    UNIQUE (tenant_id, workspace_id),
    UNIQUE (server, database)
) STRICT;
CREATE INDEX tenant_databases_of_workspace ON tenant_databases (workspace_id);

-- Sessions and pools know workspaces and tenants' databases by their ids, so no
-- two may be the same: those of databases begin where no workspace's will be.
INSERT INTO sqlite_sequence (name, seq) VALUES ('tenant_databases', 1 << 40);

-- When a tenant first had the version.
ALTER TABLE versions ADD COLUMN deployed_at INTEGER;

CREATE TABLE deployments (
    id           TEXT PRIMARY KEY,
    project_id   TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    workspace_id INTEGER NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    version      INTEGER NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('pending', 'in_progress', 'completed', 'failed', 'partial')),
    created_at   INTEGER NOT NULL,
    completed_at INTEGER
) STRICT;
CREATE INDEX deployments_of_project ON deployments (project_id, created_at);
CREATE INDEX deployments_of_workspace ON deployments (workspace_id);
CREATE INDEX deployments_under_way ON deployments (state) WHERE completed_at IS NULL;

-- A result outlives the tenant's database; took is in microseconds.
CREATE TABLE deployment_results (
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    tenant        TEXT NOT NULL,
    database_id   INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('pending', 'in_progress', 'completed', 'failed')),
    version       INTEGER NOT NULL,
    error         TEXT NOT NULL,
    took          INTEGER NOT NULL,
    PRIMARY KEY (deployment_id, tenant)
) STRICT;
