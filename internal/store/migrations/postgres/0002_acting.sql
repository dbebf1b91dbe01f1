-- A login that stops for a required action keeps what the session will be made of,
-- and the user's gate of the proof.
ALTER TABLE auth_requests ADD COLUMN remember_me BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE auth_requests ADD COLUMN user_gate BIGINT NOT NULL DEFAULT 0;
