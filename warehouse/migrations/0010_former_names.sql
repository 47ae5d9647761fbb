-- What accounts were called before. Quay joins names when its log is read: after a rename old events bear the new name, and what
-- is deleted is called by a UUID.
CREATE TABLE former_names (
    source_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL, -- as events bear it since
    former_name VARCHAR NOT NULL, -- '': nothing tells
    cause VARCHAR NOT NULL, -- the kind of event that tells; metadata: what events name; read again: an event that bore both; '': nothing
    until_at TIMESTAMPTZ NOT NULL, -- up to when the former name was theirs; of a deletion that no event tells, the newest event that bears the UUID
    is_deleted BOOLEAN NOT NULL
);

-- The newest reading whose events were looked through for names.
CREATE TABLE former_names_noted (
    source_id VARCHAR NOT NULL,
    reading_id BIGINT NOT NULL
);
