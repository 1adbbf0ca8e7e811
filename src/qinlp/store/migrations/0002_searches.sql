-- Searches: what was asked to its end, and what went over the network.

COMMENT ON COLUMN runs.kind IS 'ingest, code, or search: and the name of the search.';
COMMENT ON COLUMN runs.settings IS 'What the run was told: paths, model, codebooks, encoder, options; of a search its query, host and days.';
COMMENT ON COLUMN latest_run.kind IS 'ingest, code, or search: and the name of the search.';
COMMENT ON COLUMN latest_run.settings IS 'What the run was told: paths, model, codebooks, encoder, options; of a search its query, host and days.';

CREATE TABLE windows (
  search VARCHAR NOT NULL,
  source VARCHAR NOT NULL,
  query VARCHAR NOT NULL,
  query_hash VARCHAR NOT NULL,
  since DATE NOT NULL,
  until DATE NOT NULL,
  told INTEGER NOT NULL,
  records INTEGER NOT NULL,
  quarantined INTEGER NOT NULL,
  run_id VARCHAR NOT NULL,
  covered_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (search, source, query_hash, since, until)
);
COMMENT ON TABLE windows IS 'One row a stretch of days that a search was asked for to its end; written with the last of its records. Days asked for again leave no row.';
COMMENT ON COLUMN windows.search IS 'Name of the search in qinlp.toml.';
COMMENT ON COLUMN windows.source IS 'europepmc, pubmed or openalex.';
COMMENT ON COLUMN windows.query IS 'The query, without the dates that qinlp adds.';
COMMENT ON COLUMN windows.query_hash IS 'Names the query: another query, or another source, starts again.';
COMMENT ON COLUMN windows.since IS 'First day.';
COMMENT ON COLUMN windows.until IS 'Last day, included.';
COMMENT ON COLUMN windows.told IS 'Records that the source said it has of these days.';
COMMENT ON COLUMN windows.records IS 'Readable records that it gave, each counted once.';
COMMENT ON COLUMN windows.quarantined IS 'Unreadable records that it gave.';
COMMENT ON COLUMN windows.run_id IS 'The run that asked.';
COMMENT ON COLUMN windows.covered_at IS 'When its last record was stored.';

CREATE TABLE egress (
  run_id VARCHAR NOT NULL,
  host VARCHAR NOT NULL,
  requests INTEGER NOT NULL,
  bytes_out BIGINT NOT NULL,
  bytes_in BIGINT NOT NULL,
  sent_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE egress IS 'One row a batch of a run and a host that it sent requests to; add them up.';
COMMENT ON COLUMN egress.run_id IS 'The run that asked.';
COMMENT ON COLUMN egress.host IS 'The host asked.';
COMMENT ON COLUMN egress.requests IS 'Requests sent, repetitions included.';
COMMENT ON COLUMN egress.bytes_out IS 'Bytes sent.';
COMMENT ON COLUMN egress.bytes_in IS 'Bytes received.';
COMMENT ON COLUMN egress.sent_at IS 'When the batch was stored, after its requests.';

CREATE VIEW covered AS
WITH laid AS (
  SELECT *, max(until) OVER (PARTITION BY search, source, query_hash ORDER BY since, until
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM windows
), joined AS (
  SELECT *, count(*) FILTER (before IS NULL OR since > before + 1) OVER (
    PARTITION BY search, source, query_hash ORDER BY since, until) AS stretch FROM laid
)
SELECT search, source, any_value(query) AS query, query_hash, min(since) AS since, max(until) AS until,
  count(*) AS windows, sum(told)::BIGINT AS told, sum(records)::BIGINT AS records,
  sum(quarantined)::BIGINT AS quarantined, max(run_id) AS run_id, max(covered_at) AS covered_at
FROM joined GROUP BY search, source, query_hash, stretch;
COMMENT ON VIEW covered IS 'One row a stretch of days without a gap that a search has covered.';
COMMENT ON COLUMN covered.windows IS 'Windows that it was asked in.';
COMMENT ON COLUMN covered.run_id IS 'The run that covered the latest of it.';
COMMENT ON COLUMN covered.covered_at IS 'When the latest of it was covered.';

CREATE VIEW watermarks AS
SELECT * FROM covered
QUALIFY row_number() OVER (PARTITION BY search, source, query_hash ORDER BY until DESC) = 1;
COMMENT ON VIEW watermarks IS 'One row a search and query: the days covered without a gap up to its watermark, until.';
COMMENT ON COLUMN watermarks.windows IS 'Windows that they were asked in.';
COMMENT ON COLUMN watermarks.until IS 'The watermark: the next run asks for what came later, and for some days before.';
COMMENT ON COLUMN watermarks.run_id IS 'The run that covered the latest of it.';
COMMENT ON COLUMN watermarks.covered_at IS 'When the latest of it was covered.';
