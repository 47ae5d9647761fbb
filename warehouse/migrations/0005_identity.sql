-- Who this ledger is. A write-ahead log or a file of another ledger is recognised by it.
CREATE TABLE ledger_identity (
    ledger_id VARCHAR NOT NULL,
    made_at TIMESTAMPTZ NOT NULL
);

INSERT INTO ledger_identity VALUES (CAST(uuid() AS VARCHAR), now());

-- The newest transactions by running number. Where a write-ahead log was replayed that is another ledger's, or of another time,
-- there is a foreign id, a gap or a number twice.
CREATE TABLE commits (
    ledger_id VARCHAR NOT NULL,
    number BIGINT NOT NULL
);

INSERT INTO commits SELECT ledger_id, 0 FROM ledger_identity;
