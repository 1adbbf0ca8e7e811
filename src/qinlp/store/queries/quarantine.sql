-- What could not be read, and why?
SELECT source, record, reason, quarantined_at FROM quarantine ORDER BY source, record
