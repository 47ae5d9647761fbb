-- Rollups of closed days of a month that were joined before the month is final, so that few files are opened. `file` is the path that a
-- file of their events would have, relative to the ledger's folder; `files` are the files of the days whose rollups it joins.
CREATE TABLE rollup_joins (
    source_id VARCHAR NOT NULL,
    first_day DATE NOT NULL,
    last_day DATE NOT NULL,
    file VARCHAR NOT NULL,
    files VARCHAR[] NOT NULL
);
