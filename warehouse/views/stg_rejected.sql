-- One row per source, UTC day, scope and kind (null: not even that could be read) of rows that the source listed for the day and that
-- could not be read as events. Rows of exports and longer windows are left out: nothing tells which day they are of.
SELECT rejects.source_id, rejects.day, rejects.scope, rejects.kind, count(*) AS rejected_rows
FROM rejects
JOIN readings USING (reading_id)
WHERE readings.method = 'pages' AND NOT regexp_matches(readings.part, ' [+][0-9]+d$') AND rejects.raw <> ''
GROUP BY ALL
