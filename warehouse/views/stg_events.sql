-- One row per event, wherever it is stored: of open months, of final months, and late ones of final months.
SELECT * FROM event_rows
UNION ALL BY NAME
SELECT * FROM stg_month_events
UNION ALL BY NAME
SELECT * FROM corrections
