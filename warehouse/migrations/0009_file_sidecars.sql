-- The digests of the rollups beside the files of events. One that is not on record is made anew from its events, as is one that is
-- missing or differs.
CREATE TABLE event_file_sidecars (
    file VARCHAR NOT NULL, -- the file of events
    sidecar VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL,
    size_bytes BIGINT NOT NULL
);
