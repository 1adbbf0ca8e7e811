-- What could not be read and still waits, and why?
SELECT source, record, reason, quarantined_at FROM quarantine_open ORDER BY source, record
