-- What was done, and when?
-- $limit = 20: how many runs
SELECT run_id, kind, status, round(date_diff('millisecond', started_at, finished_at) / 1000, 1) AS seconds, counts
FROM runs ORDER BY run_id DESC LIMIT $limit::INTEGER
