-- tables is a JSON array of what is imported, in the order of the rows of a part.
CREATE TABLE data_imports (
    id           TEXT PRIMARY KEY,
    project_id   TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    workspace_id INTEGER NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    state        TEXT NOT NULL CHECK (state IN ('pending', 'in_progress', 'completed', 'failed')),
    error        TEXT NOT NULL,
    tables       TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    completed_at INTEGER
) STRICT;
CREATE INDEX data_imports_of_workspace ON data_imports (workspace_id);
CREATE INDEX data_imports_under_way ON data_imports (state) WHERE completed_at IS NULL;

-- A part is one database, of a workspace or of a tenant, which it outlives. mark
-- is what the physical server knows the rows' transaction by, empty before any of
-- them can have stayed; imported is a JSON array of numbers of rows.
CREATE TABLE data_import_parts (
    import_id   TEXT NOT NULL REFERENCES data_imports (id) ON DELETE CASCADE,
    part        INTEGER NOT NULL,
    tenant      TEXT NOT NULL,
    database_id INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('pending', 'in_progress', 'completed', 'failed')),
    imported    TEXT NOT NULL,
    at          INTEGER NOT NULL,
    mark        TEXT NOT NULL,
    error       TEXT NOT NULL,
    PRIMARY KEY (import_id, part)
) STRICT;
