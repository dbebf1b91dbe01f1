-- Somebody's password, for a login of nobody (SomePassword).
CREATE INDEX credentials_realm ON credentials (realm_id, type, id);
