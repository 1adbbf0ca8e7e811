-- Watched folders and the quarantine: how files looked when they were read, and what became of what could not be.

CREATE TABLE file_states (
  path VARCHAR NOT NULL,
  size UBIGINT NOT NULL,
  mtime_ns BIGINT NOT NULL,
  sha256 VARCHAR NOT NULL,
  looked_at TIMESTAMPTZ NOT NULL,
  version VARCHAR NOT NULL,
  quarantine_id VARCHAR NOT NULL,
  run_id VARCHAR NOT NULL
);
COMMENT ON TABLE file_states IS 'One row a state of a file when its bytes were hashed. A file found in the same state, changed last well before it was looked at, is not opened again.';
COMMENT ON COLUMN file_states.path IS 'The file, relative to the project folder where it lies inside.';
COMMENT ON COLUMN file_states.size IS 'Its size in bytes.';
COMMENT ON COLUMN file_states.mtime_ns IS 'When it was changed last, in nanoseconds since 1970, by the clock of its drive.';
COMMENT ON COLUMN file_states.sha256 IS 'SHA-256 of its bytes then.';
COMMENT ON COLUMN file_states.looked_at IS 'When size and time of change were looked at, before the bytes were.';
COMMENT ON COLUMN file_states.version IS 'The version of qinlp that read it.';
COMMENT ON COLUMN file_states.quarantine_id IS 'The entry in quarantine of a file that could not be read as a whole; else empty.';
COMMENT ON COLUMN file_states.run_id IS 'The run that looked.';

CREATE TABLE quarantine_resolved (
  quarantine_id VARCHAR NOT NULL,
  run_id VARCHAR NOT NULL,
  resolved_at TIMESTAMPTZ NOT NULL,
  how VARCHAR NOT NULL,
  note VARCHAR NOT NULL,
  PRIMARY KEY (quarantine_id, run_id)
);
COMMENT ON TABLE quarantine_resolved IS 'One row a turn in what became of an entry in quarantine; the latest holds.';
COMMENT ON COLUMN quarantine_resolved.quarantine_id IS 'The entry; see quarantine.';
COMMENT ON COLUMN quarantine_resolved.run_id IS 'The run that brought the turn.';
COMMENT ON COLUMN quarantine_resolved.resolved_at IS 'When it came.';
COMMENT ON COLUMN quarantine_resolved.how IS 'read (a retry could read it), superseded (its file was read anew and no longer holds it), dismissed (a person let it go), or again (it was met once more and waits anew).';
COMMENT ON COLUMN quarantine_resolved.note IS 'Why a person let it go.';

CREATE VIEW quarantine_open AS
SELECT q.* FROM quarantine q ANTI JOIN (
  SELECT quarantine_id FROM quarantine_resolved GROUP BY quarantine_id HAVING arg_max(how, resolved_at) <> 'again'
) USING (quarantine_id);
COMMENT ON VIEW quarantine_open IS 'One row a record or file that could not be read and still waits: neither read since, nor superseded, nor dismissed.';
COMMENT ON COLUMN quarantine_open.quarantine_id IS 'Names the record, its reason and its bytes.';
COMMENT ON COLUMN quarantine_open.run_id IS 'The run that met it.';

COMMENT ON COLUMN runs.kind IS 'Which step: ingest, search, match, code, retry, dismiss ...';
