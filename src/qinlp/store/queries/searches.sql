-- How far has each search come, and what did it bring?
SELECT search, source, query, since, until, records, quarantined, told - records - quarantined AS short,
  covered_at, run_id
FROM watermarks ORDER BY search, covered_at DESC
