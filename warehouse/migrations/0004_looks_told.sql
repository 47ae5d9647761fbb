-- When a target was last told of (read, or found gone), whatever was tried since: an older answer that comes later tells nothing.
ALTER TABLE looks ADD COLUMN told_at TIMESTAMPTZ;

UPDATE looks SET told_at = greatest(ok_at, CASE WHEN state = 'gone' THEN tried_at END);
