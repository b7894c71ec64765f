-- How clients log in at the proxy as an API key that is for less than its whole
-- project, or may only read; login is their user name, and the columns behind it
-- are their password. Those of the whole project that may write have the
-- project's.
CREATE TABLE key_logins (
    key_id     TEXT PRIMARY KEY REFERENCES api_keys (id) ON DELETE CASCADE,
    login      TEXT NOT NULL UNIQUE,
    credential TEXT NOT NULL,
    sealed     BLOB NOT NULL,
    iterations INTEGER NOT NULL,
    salt       BLOB NOT NULL,
    stored_key BLOB NOT NULL,
    server_key BLOB NOT NULL
) STRICT;

-- The physical role that may only read the database of a workspace or a tenant,
-- while there is a key that needs it. It goes with the database.
CREATE TABLE readers (
    database_id INTEGER PRIMARY KEY,
    role        TEXT NOT NULL,
    role_secret BLOB NOT NULL
) STRICT;
