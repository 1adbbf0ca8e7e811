-- Which words came in last that no earlier document held?
-- $limit = 50: how many words
SELECT word FROM vocabulary WHERE run_id = (SELECT max(run_id) FROM vocabulary) ORDER BY word LIMIT $limit::INTEGER
