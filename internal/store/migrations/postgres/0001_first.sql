-- What is configured: searched columns, and one JSON document for the rest.
CREATE TABLE realms (
  id TEXT COLLATE "C" PRIMARY KEY, name TEXT COLLATE "C" NOT NULL UNIQUE, version BIGINT NOT NULL, doc TEXT COLLATE "C" NOT NULL
);

CREATE TABLE clients (
  id TEXT COLLATE "C" PRIMARY KEY, realm_id TEXT COLLATE "C" NOT NULL REFERENCES realms ON DELETE CASCADE, client_id TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL, gate BIGINT NOT NULL, enabled BOOLEAN NOT NULL,
  secret_sealed BYTEA, secret_hash BYTEA, doc TEXT COLLATE "C" NOT NULL, UNIQUE (realm_id, client_id)
);
CREATE TABLE client_uris (
  client_id TEXT COLLATE "C" NOT NULL REFERENCES clients ON DELETE CASCADE, kind TEXT COLLATE "C" NOT NULL, position BIGINT NOT NULL, value TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (client_id, kind, position)
);

CREATE TABLE client_scopes (
  id TEXT COLLATE "C" PRIMARY KEY, realm_id TEXT COLLATE "C" NOT NULL REFERENCES realms ON DELETE CASCADE, name TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL, doc TEXT COLLATE "C" NOT NULL, UNIQUE (realm_id, name)
);
CREATE TABLE realm_scopes (
  realm_id TEXT COLLATE "C" NOT NULL REFERENCES realms ON DELETE CASCADE, scope_id TEXT COLLATE "C" NOT NULL REFERENCES client_scopes ON DELETE CASCADE,
  optional BOOLEAN NOT NULL, position BIGINT NOT NULL, PRIMARY KEY (realm_id, scope_id)
);
CREATE TABLE client_scope_links (
  client_id TEXT COLLATE "C" NOT NULL REFERENCES clients ON DELETE CASCADE, scope_id TEXT COLLATE "C" NOT NULL REFERENCES client_scopes ON DELETE CASCADE,
  optional BOOLEAN NOT NULL, position BIGINT NOT NULL, PRIMARY KEY (client_id, scope_id)
);

CREATE TABLE roles (
  id TEXT COLLATE "C" PRIMARY KEY, realm_id TEXT COLLATE "C" NOT NULL REFERENCES realms ON DELETE CASCADE,
  client_id TEXT COLLATE "C" REFERENCES clients ON DELETE CASCADE, container TEXT COLLATE "C" NOT NULL, name TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL, doc TEXT COLLATE "C" NOT NULL, UNIQUE (realm_id, container, name)
);
CREATE INDEX roles_client ON roles (client_id);
CREATE TABLE role_composites (
  role_id TEXT COLLATE "C" NOT NULL REFERENCES roles ON DELETE CASCADE, child_id TEXT COLLATE "C" NOT NULL REFERENCES roles ON DELETE CASCADE,
  PRIMARY KEY (role_id, child_id)
);
CREATE INDEX role_composites_child ON role_composites (child_id);
CREATE TABLE scope_roles (
  realm_id TEXT COLLATE "C" NOT NULL REFERENCES realms ON DELETE CASCADE, owner_id TEXT COLLATE "C" NOT NULL, role_id TEXT COLLATE "C" NOT NULL REFERENCES roles ON DELETE CASCADE,
  PRIMARY KEY (owner_id, role_id)
);
CREATE INDEX scope_roles_role ON scope_roles (role_id);

CREATE TABLE realm_groups (
  id TEXT COLLATE "C" PRIMARY KEY, realm_id TEXT COLLATE "C" NOT NULL REFERENCES realms ON DELETE CASCADE, parent_id TEXT COLLATE "C" NOT NULL, name TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL, doc TEXT COLLATE "C" NOT NULL, UNIQUE (realm_id, parent_id, name)
);
CREATE TABLE group_roles (
  group_id TEXT COLLATE "C" NOT NULL REFERENCES realm_groups ON DELETE CASCADE, role_id TEXT COLLATE "C" NOT NULL REFERENCES roles ON DELETE CASCADE,
  PRIMARY KEY (group_id, role_id)
);
CREATE INDEX group_roles_role ON group_roles (role_id);
CREATE TABLE default_groups (
  realm_id TEXT COLLATE "C" NOT NULL REFERENCES realms ON DELETE CASCADE, group_id TEXT COLLATE "C" NOT NULL REFERENCES realm_groups ON DELETE CASCADE,
  PRIMARY KEY (realm_id, group_id)
);

CREATE TABLE users (
  id TEXT COLLATE "C" PRIMARY KEY, realm_id TEXT COLLATE "C" NOT NULL REFERENCES realms ON DELETE CASCADE, username TEXT COLLATE "C" NOT NULL, email TEXT COLLATE "C" NOT NULL,
  unique_email TEXT COLLATE "C", first_name TEXT COLLATE "C" NOT NULL, last_name TEXT COLLATE "C" NOT NULL, enabled BOOLEAN NOT NULL,
  email_verified BOOLEAN NOT NULL, service_client TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL, gate BIGINT NOT NULL, created_at BIGINT NOT NULL, doc TEXT COLLATE "C" NOT NULL,
  CONSTRAINT users_username UNIQUE (realm_id, username), CONSTRAINT users_unique_email UNIQUE (realm_id, unique_email)
);
CREATE INDEX users_email ON users (realm_id, email);
CREATE INDEX users_service ON users (realm_id, service_client);
CREATE TABLE user_attributes (
  user_id TEXT COLLATE "C" NOT NULL REFERENCES users ON DELETE CASCADE, name TEXT COLLATE "C" NOT NULL, position BIGINT NOT NULL, value TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (user_id, name, position)
);
CREATE INDEX user_attributes_value ON user_attributes (name, value);
CREATE TABLE user_roles (
  user_id TEXT COLLATE "C" NOT NULL REFERENCES users ON DELETE CASCADE, role_id TEXT COLLATE "C" NOT NULL REFERENCES roles ON DELETE CASCADE,
  PRIMARY KEY (user_id, role_id)
);
CREATE INDEX user_roles_role ON user_roles (role_id);
CREATE TABLE memberships (
  user_id TEXT COLLATE "C" NOT NULL REFERENCES users ON DELETE CASCADE, group_id TEXT COLLATE "C" NOT NULL REFERENCES realm_groups ON DELETE CASCADE,
  PRIMARY KEY (user_id, group_id)
);
CREATE INDEX memberships_group ON memberships (group_id);
CREATE TABLE credentials (
  id TEXT COLLATE "C" PRIMARY KEY, realm_id TEXT COLLATE "C" NOT NULL REFERENCES realms ON DELETE CASCADE, user_id TEXT COLLATE "C" NOT NULL REFERENCES users ON DELETE CASCADE,
  type TEXT COLLATE "C" NOT NULL, label TEXT COLLATE "C" NOT NULL, data TEXT COLLATE "C" NOT NULL, secret_sealed BYTEA NOT NULL, created_at BIGINT NOT NULL,
  priority BIGINT NOT NULL, temporary BOOLEAN NOT NULL
);
CREATE INDEX credentials_user ON credentials (user_id);
CREATE TABLE consents (
  realm_id TEXT COLLATE "C" NOT NULL REFERENCES realms ON DELETE CASCADE, user_id TEXT COLLATE "C" NOT NULL REFERENCES users ON DELETE CASCADE,
  client_id TEXT COLLATE "C" NOT NULL REFERENCES clients ON DELETE CASCADE, scopes TEXT COLLATE "C" NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
  PRIMARY KEY (user_id, client_id)
);

-- realm_id is NULL for a spare key.
CREATE TABLE signing_keys (
  id TEXT COLLATE "C" PRIMARY KEY, realm_id TEXT COLLATE "C" REFERENCES realms ON DELETE CASCADE, use_for TEXT COLLATE "C" NOT NULL, algorithm TEXT COLLATE "C" NOT NULL,
  state TEXT COLLATE "C" NOT NULL, sealed BYTEA NOT NULL, public BYTEA, created_at BIGINT NOT NULL, priority BIGINT NOT NULL
);
CREATE UNIQUE INDEX signing_keys_active ON signing_keys (realm_id, use_for, algorithm) WHERE state = 'active';

-- What lives by time or by counting.
CREATE TABLE auth_requests (
  id TEXT COLLATE "C" PRIMARY KEY, realm_id TEXT COLLATE "C" NOT NULL REFERENCES realms ON DELETE CASCADE, client_id TEXT COLLATE "C" NOT NULL REFERENCES clients ON DELETE CASCADE,
  browser_hash BYTEA NOT NULL, state TEXT COLLATE "C" NOT NULL, params TEXT COLLATE "C" NOT NULL, origin TEXT COLLATE "C" NOT NULL, user_id TEXT COLLATE "C" NOT NULL, session_id TEXT COLLATE "C" NOT NULL,
  methods TEXT COLLATE "C" NOT NULL, auth_time BIGINT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL
);
CREATE INDEX auth_requests_browser ON auth_requests (browser_hash);
CREATE INDEX auth_requests_expiry ON auth_requests (expires_at);

CREATE TABLE sessions (
  id TEXT COLLATE "C" PRIMARY KEY, realm_id TEXT COLLATE "C" NOT NULL REFERENCES realms ON DELETE CASCADE, user_id TEXT COLLATE "C" NOT NULL REFERENCES users ON DELETE CASCADE,
  token_hash BYTEA, started_at BIGINT NOT NULL, last_seen_at BIGINT NOT NULL, auth_time BIGINT NOT NULL, ended_at BIGINT NOT NULL,
  remember_me BOOLEAN NOT NULL, methods TEXT COLLATE "C" NOT NULL, ip TEXT COLLATE "C" NOT NULL, user_agent TEXT COLLATE "C" NOT NULL,
  offline BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX sessions_token ON sessions (token_hash);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_seen ON sessions (last_seen_at);
CREATE TABLE client_sessions (
  session_id TEXT COLLATE "C" NOT NULL REFERENCES sessions ON DELETE CASCADE, client_id TEXT COLLATE "C" NOT NULL REFERENCES clients ON DELETE CASCADE,
  realm_id TEXT COLLATE "C" NOT NULL, started_at BIGINT NOT NULL, last_seen_at BIGINT NOT NULL, scope TEXT COLLATE "C" NOT NULL, redirect_uri TEXT COLLATE "C" NOT NULL,
  ended_at BIGINT NOT NULL, PRIMARY KEY (session_id, client_id)
);
CREATE INDEX client_sessions_client ON client_sessions (client_id);

CREATE TABLE codes (
  hash BYTEA PRIMARY KEY, realm_id TEXT COLLATE "C" NOT NULL REFERENCES realms ON DELETE CASCADE, client_id TEXT COLLATE "C" NOT NULL REFERENCES clients ON DELETE CASCADE,
  user_id TEXT COLLATE "C" NOT NULL, session_id TEXT COLLATE "C" NOT NULL, redirect_uri TEXT COLLATE "C" NOT NULL, scope TEXT COLLATE "C" NOT NULL, nonce TEXT COLLATE "C" NOT NULL,
  code_challenge TEXT COLLATE "C" NOT NULL, code_challenge_method TEXT COLLATE "C" NOT NULL, auth_time BIGINT NOT NULL, acr TEXT COLLATE "C" NOT NULL,
  expires_at BIGINT NOT NULL, used_at BIGINT NOT NULL
);
CREATE INDEX codes_expiry ON codes (expires_at);
CREATE INDEX codes_session ON codes (session_id);

CREATE TABLE refresh_families (
  id TEXT COLLATE "C" PRIMARY KEY, realm_id TEXT COLLATE "C" NOT NULL REFERENCES realms ON DELETE CASCADE, client_id TEXT COLLATE "C" NOT NULL REFERENCES clients ON DELETE CASCADE,
  user_id TEXT COLLATE "C" NOT NULL, session_id TEXT COLLATE "C" NOT NULL REFERENCES sessions ON DELETE CASCADE, scope TEXT COLLATE "C" NOT NULL, nonce TEXT COLLATE "C" NOT NULL,
  auth_time BIGINT NOT NULL, acr TEXT COLLATE "C" NOT NULL, generation BIGINT NOT NULL, uses BIGINT NOT NULL, rotated_at BIGINT NOT NULL,
  started_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, revoked_at BIGINT NOT NULL, offline BOOLEAN NOT NULL
);
CREATE INDEX refresh_families_session ON refresh_families (session_id, client_id);
CREATE INDEX refresh_families_expiry ON refresh_families (expires_at);

-- kind is "token" for a revoked access token, else what was used once.
CREATE TABLE used_once (
  realm_id TEXT COLLATE "C" NOT NULL REFERENCES realms ON DELETE CASCADE, kind TEXT COLLATE "C" NOT NULL, value TEXT COLLATE "C" NOT NULL, expires_at BIGINT NOT NULL,
  PRIMARY KEY (realm_id, kind, value)
);
CREATE INDEX used_once_expiry ON used_once (expires_at);
CREATE TABLE links (
  hash BYTEA PRIMARY KEY, realm_id TEXT COLLATE "C" NOT NULL REFERENCES realms ON DELETE CASCADE, purpose TEXT COLLATE "C" NOT NULL,
  expires_at BIGINT NOT NULL, used_at BIGINT NOT NULL
);
CREATE INDEX links_expiry ON links (expires_at);
CREATE TABLE failed_logins (
  realm_id TEXT COLLATE "C" NOT NULL REFERENCES realms ON DELETE CASCADE, user_id TEXT COLLATE "C" NOT NULL, count BIGINT NOT NULL, last_at BIGINT NOT NULL,
  last_ip TEXT COLLATE "C" NOT NULL, locked_until BIGINT NOT NULL, lockouts BIGINT NOT NULL, PRIMARY KEY (realm_id, user_id)
);
CREATE TABLE events (
  id TEXT COLLATE "C" PRIMARY KEY, realm_id TEXT COLLATE "C" NOT NULL REFERENCES realms ON DELETE CASCADE, time BIGINT NOT NULL, kind TEXT COLLATE "C" NOT NULL, type TEXT COLLATE "C" NOT NULL,
  client_id TEXT COLLATE "C" NOT NULL, user_id TEXT COLLATE "C" NOT NULL, session_id TEXT COLLATE "C" NOT NULL, ip TEXT COLLATE "C" NOT NULL, error TEXT COLLATE "C" NOT NULL, details TEXT COLLATE "C" NOT NULL
);
CREATE INDEX events_time ON events (realm_id, time);
