-- A login that stops for a required action keeps what the session will be made of,
-- and the user's gate of the proof.
ALTER TABLE auth_requests ADD COLUMN remember_me INTEGER NOT NULL DEFAULT 0 CHECK (remember_me IN (0, 1));
ALTER TABLE auth_requests ADD COLUMN user_gate INTEGER NOT NULL DEFAULT 0;
