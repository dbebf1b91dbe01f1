-- What reaches other systems (mail, directories, identity providers) is sealed:
-- those members of the document stand here, and in the document no longer.
ALTER TABLE realms ADD COLUMN sealed BYTEA;
ALTER TABLE clients ADD COLUMN sealed BYTEA;
