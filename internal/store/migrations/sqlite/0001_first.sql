-- What is configured: searched columns, and one JSON document for the rest.
CREATE TABLE realms (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, doc TEXT NOT NULL
) STRICT;

CREATE TABLE clients (
  id TEXT PRIMARY KEY, realm_id TEXT NOT NULL REFERENCES realms ON DELETE CASCADE, client_id TEXT NOT NULL,
  version INTEGER NOT NULL, gate INTEGER NOT NULL, enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
  secret_sealed BLOB, secret_hash BLOB, doc TEXT NOT NULL, UNIQUE (realm_id, client_id)
) STRICT;
CREATE TABLE client_uris (
  client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE, kind TEXT NOT NULL, position INTEGER NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (client_id, kind, position)
) STRICT;

CREATE TABLE client_scopes (
  id TEXT PRIMARY KEY, realm_id TEXT NOT NULL REFERENCES realms ON DELETE CASCADE, name TEXT NOT NULL,
  version INTEGER NOT NULL, doc TEXT NOT NULL, UNIQUE (realm_id, name)
) STRICT;
CREATE TABLE realm_scopes (
  realm_id TEXT NOT NULL REFERENCES realms ON DELETE CASCADE, scope_id TEXT NOT NULL REFERENCES client_scopes ON DELETE CASCADE,
  optional INTEGER NOT NULL CHECK (optional IN (0, 1)), position INTEGER NOT NULL, PRIMARY KEY (realm_id, scope_id)
) STRICT;
CREATE TABLE client_scope_links (
  client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE, scope_id TEXT NOT NULL REFERENCES client_scopes ON DELETE CASCADE,
  optional INTEGER NOT NULL CHECK (optional IN (0, 1)), position INTEGER NOT NULL, PRIMARY KEY (client_id, scope_id)
) STRICT;

CREATE TABLE roles (
  id TEXT PRIMARY KEY, realm_id TEXT NOT NULL REFERENCES realms ON DELETE CASCADE,
  client_id TEXT REFERENCES clients ON DELETE CASCADE, container TEXT NOT NULL, name TEXT NOT NULL,
  version INTEGER NOT NULL, doc TEXT NOT NULL, UNIQUE (realm_id, container, name)
) STRICT;
CREATE INDEX roles_client ON roles (client_id);
CREATE TABLE role_composites (
  role_id TEXT NOT NULL REFERENCES roles ON DELETE CASCADE, child_id TEXT NOT NULL REFERENCES roles ON DELETE CASCADE,
  PRIMARY KEY (role_id, child_id)
) STRICT;
CREATE INDEX role_composites_child ON role_composites (child_id);
CREATE TABLE scope_roles (
  realm_id TEXT NOT NULL REFERENCES realms ON DELETE CASCADE, owner_id TEXT NOT NULL, role_id TEXT NOT NULL REFERENCES roles ON DELETE CASCADE,
  PRIMARY KEY (owner_id, role_id)
) STRICT;
CREATE INDEX scope_roles_role ON scope_roles (role_id);

CREATE TABLE realm_groups (
  id TEXT PRIMARY KEY, realm_id TEXT NOT NULL REFERENCES realms ON DELETE CASCADE, parent_id TEXT NOT NULL, name TEXT NOT NULL,
  version INTEGER NOT NULL, doc TEXT NOT NULL, UNIQUE (realm_id, parent_id, name)
) STRICT;
CREATE TABLE group_roles (
  group_id TEXT NOT NULL REFERENCES realm_groups ON DELETE CASCADE, role_id TEXT NOT NULL REFERENCES roles ON DELETE CASCADE,
  PRIMARY KEY (group_id, role_id)
) STRICT;
CREATE INDEX group_roles_role ON group_roles (role_id);
CREATE TABLE default_groups (
  realm_id TEXT NOT NULL REFERENCES realms ON DELETE CASCADE, group_id TEXT NOT NULL REFERENCES realm_groups ON DELETE CASCADE,
  PRIMARY KEY (realm_id, group_id)
) STRICT;

CREATE TABLE users (
  id TEXT PRIMARY KEY, realm_id TEXT NOT NULL REFERENCES realms ON DELETE CASCADE, username TEXT NOT NULL, email TEXT NOT NULL,
  unique_email TEXT, first_name TEXT NOT NULL, last_name TEXT NOT NULL, enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
  email_verified INTEGER NOT NULL CHECK (email_verified IN (0, 1)), service_client TEXT NOT NULL,
  version INTEGER NOT NULL, gate INTEGER NOT NULL, created_at INTEGER NOT NULL, doc TEXT NOT NULL,
  UNIQUE (realm_id, username), UNIQUE (realm_id, unique_email)
) STRICT;
CREATE INDEX users_email ON users (realm_id, email);
CREATE INDEX users_service ON users (realm_id, service_client);
CREATE TABLE user_attributes (
  user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE, name TEXT NOT NULL, position INTEGER NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (user_id, name, position)
) STRICT;
CREATE INDEX user_attributes_value ON user_attributes (name, value);
CREATE TABLE user_roles (
  user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE, role_id TEXT NOT NULL REFERENCES roles ON DELETE CASCADE,
  PRIMARY KEY (user_id, role_id)
) STRICT;
CREATE INDEX user_roles_role ON user_roles (role_id);
CREATE TABLE memberships (
  user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE, group_id TEXT NOT NULL REFERENCES realm_groups ON DELETE CASCADE,
  PRIMARY KEY (user_id, group_id)
) STRICT;
CREATE INDEX memberships_group ON memberships (group_id);
CREATE TABLE credentials (
  id TEXT PRIMARY KEY, realm_id TEXT NOT NULL REFERENCES realms ON DELETE CASCADE, user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
  type TEXT NOT NULL, label TEXT NOT NULL, data TEXT NOT NULL, secret_sealed BLOB NOT NULL, created_at INTEGER NOT NULL,
  priority INTEGER NOT NULL, temporary INTEGER NOT NULL CHECK (temporary IN (0, 1))
) STRICT;
CREATE INDEX credentials_user ON credentials (user_id);
CREATE TABLE consents (
  realm_id TEXT NOT NULL REFERENCES realms ON DELETE CASCADE, user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
  client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE, scopes TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, client_id)
) STRICT;

-- realm_id is NULL for a spare key.
CREATE TABLE signing_keys (
  id TEXT PRIMARY KEY, realm_id TEXT REFERENCES realms ON DELETE CASCADE, use_for TEXT NOT NULL, algorithm TEXT NOT NULL,
  state TEXT NOT NULL, sealed BLOB NOT NULL, public BLOB, created_at INTEGER NOT NULL, priority INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX signing_keys_active ON signing_keys (realm_id, use_for, algorithm) WHERE state = 'active';

-- What lives by time or by counting.
CREATE TABLE auth_requests (
  id TEXT PRIMARY KEY, realm_id TEXT NOT NULL REFERENCES realms ON DELETE CASCADE, client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
  browser_hash BLOB NOT NULL, state TEXT NOT NULL, params TEXT NOT NULL, origin TEXT NOT NULL, user_id TEXT NOT NULL, session_id TEXT NOT NULL,
  methods TEXT NOT NULL, auth_time INTEGER NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX auth_requests_browser ON auth_requests (browser_hash);
CREATE INDEX auth_requests_expiry ON auth_requests (expires_at);

CREATE TABLE sessions (
  id TEXT PRIMARY KEY, realm_id TEXT NOT NULL REFERENCES realms ON DELETE CASCADE, user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
  token_hash BLOB, started_at INTEGER NOT NULL, last_seen_at INTEGER NOT NULL, auth_time INTEGER NOT NULL, ended_at INTEGER NOT NULL,
  remember_me INTEGER NOT NULL CHECK (remember_me IN (0, 1)), methods TEXT NOT NULL, ip TEXT NOT NULL, user_agent TEXT NOT NULL,
  offline INTEGER NOT NULL CHECK (offline IN (0, 1))
) STRICT;
CREATE UNIQUE INDEX sessions_token ON sessions (token_hash);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_seen ON sessions (last_seen_at);
CREATE TABLE client_sessions (
  session_id TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE, client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
  realm_id TEXT NOT NULL, started_at INTEGER NOT NULL, last_seen_at INTEGER NOT NULL, scope TEXT NOT NULL, redirect_uri TEXT NOT NULL,
  ended_at INTEGER NOT NULL, PRIMARY KEY (session_id, client_id)
) STRICT;
CREATE INDEX client_sessions_client ON client_sessions (client_id);

CREATE TABLE codes (
  hash BLOB PRIMARY KEY, realm_id TEXT NOT NULL REFERENCES realms ON DELETE CASCADE, client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
  user_id TEXT NOT NULL, session_id TEXT NOT NULL, redirect_uri TEXT NOT NULL, scope TEXT NOT NULL, nonce TEXT NOT NULL,
  code_challenge TEXT NOT NULL, code_challenge_method TEXT NOT NULL, auth_time INTEGER NOT NULL, acr TEXT NOT NULL,
  expires_at INTEGER NOT NULL, used_at INTEGER NOT NULL
) STRICT;
CREATE INDEX codes_expiry ON codes (expires_at);
CREATE INDEX codes_session ON codes (session_id);

CREATE TABLE refresh_families (
  id TEXT PRIMARY KEY, realm_id TEXT NOT NULL REFERENCES realms ON DELETE CASCADE, client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
  user_id TEXT NOT NULL, session_id TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE, scope TEXT NOT NULL, nonce TEXT NOT NULL,
  auth_time INTEGER NOT NULL, acr TEXT NOT NULL, generation INTEGER NOT NULL, uses INTEGER NOT NULL, rotated_at INTEGER NOT NULL,
  started_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, revoked_at INTEGER NOT NULL, offline INTEGER NOT NULL CHECK (offline IN (0, 1))
) STRICT;
CREATE INDEX refresh_families_session ON refresh_families (session_id, client_id);
CREATE INDEX refresh_families_expiry ON refresh_families (expires_at);

-- kind is "token" for a revoked access token, else what was used once.
CREATE TABLE used_once (
  realm_id TEXT NOT NULL REFERENCES realms ON DELETE CASCADE, kind TEXT NOT NULL, value TEXT NOT NULL, expires_at INTEGER NOT NULL,
  PRIMARY KEY (realm_id, kind, value)
) STRICT;
CREATE INDEX used_once_expiry ON used_once (expires_at);
CREATE TABLE links (
  hash BLOB PRIMARY KEY, realm_id TEXT NOT NULL REFERENCES realms ON DELETE CASCADE, purpose TEXT NOT NULL,
  expires_at INTEGER NOT NULL, used_at INTEGER NOT NULL
) STRICT;
CREATE INDEX links_expiry ON links (expires_at);
CREATE TABLE failed_logins (
  realm_id TEXT NOT NULL REFERENCES realms ON DELETE CASCADE, user_id TEXT NOT NULL, count INTEGER NOT NULL, last_at INTEGER NOT NULL,
  last_ip TEXT NOT NULL, locked_until INTEGER NOT NULL, lockouts INTEGER NOT NULL, PRIMARY KEY (realm_id, user_id)
) STRICT;
CREATE TABLE events (
  id TEXT PRIMARY KEY, realm_id TEXT NOT NULL REFERENCES realms ON DELETE CASCADE, time INTEGER NOT NULL, kind TEXT NOT NULL, type TEXT NOT NULL,
  client_id TEXT NOT NULL, user_id TEXT NOT NULL, session_id TEXT NOT NULL, ip TEXT NOT NULL, error TEXT NOT NULL, details TEXT NOT NULL
) STRICT;
CREATE INDEX events_time ON events (realm_id, time);
