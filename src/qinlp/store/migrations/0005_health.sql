-- What every run looks like, so that one that departs from its history can be told.

CREATE TABLE vocabulary (
  word VARCHAR PRIMARY KEY,
  run_id VARCHAR NOT NULL
);
COMMENT ON TABLE vocabulary IS 'One row a word that some document holds: three letters and more, case folded.';
COMMENT ON COLUMN vocabulary.word IS 'The word.';
COMMENT ON COLUMN vocabulary.run_id IS 'The measuring that met it first.';

CREATE TABLE measured (
  run_id VARCHAR PRIMARY KEY,
  measured_by VARCHAR NOT NULL
);
COMMENT ON TABLE measured IS 'One row a run whose documents and codings were measured; never twice.';
COMMENT ON COLUMN measured.run_id IS 'The run that was measured.';
COMMENT ON COLUMN measured.measured_by IS 'The measuring; see measures.run_id.';

CREATE TABLE measures (
  run_id VARCHAR NOT NULL,
  kind VARCHAR NOT NULL,
  codebook VARCHAR NOT NULL,
  codebook_hash VARCHAR NOT NULL,
  coder VARCHAR NOT NULL,
  measure VARCHAR NOT NULL,
  code VARCHAR NOT NULL,
  value DOUBLE NOT NULL,
  n UBIGINT NOT NULL,
  measured_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (run_id, kind, codebook, codebook_hash, coder, measure, code)
);
COMMENT ON TABLE measures IS 'One row a measure of what came in and was coded since the measuring before.';
COMMENT ON COLUMN measures.run_id IS 'The measuring: a run of kind measure.';
COMMENT ON COLUMN measures.kind IS 'abstract or transcript; each has a history of its own.';
COMMENT ON COLUMN measures.codebook IS 'The codebook''s id; empty for new_words.';
COMMENT ON COLUMN measures.codebook_hash IS 'The codebook version; another one starts a history of its own.';
COMMENT ON COLUMN measures.coder IS 'The machine coder; another one starts a history of its own.';
COMMENT ON COLUMN measures.measure IS 'new_words: share of words in no earlier document; code_rate: share of coded passages given the code; code_shift: Jensen-Shannon distance (0 to 1) of the codes given from those of up to 30 measurings before; confidence: mean probability of the codes given; to_review: share of coded passages with a code the model is unsure of.';
COMMENT ON COLUMN measures.code IS 'The code of a code_rate; else empty.';
COMMENT ON COLUMN measures.value IS 'The measure, from 0 to 1.';
COMMENT ON COLUMN measures.n IS 'What it is a share or mean of: words (new_words), codes given (code_shift, confidence), coded passages.';
COMMENT ON COLUMN measures.measured_at IS 'When it was measured.';

CREATE VIEW measures_current AS
SELECT * FROM measures WHERE run_id = (SELECT max(run_id) FROM measures);
COMMENT ON VIEW measures_current IS 'One row a measure of the last measuring.';

COMMENT ON COLUMN runs.kind IS 'The step: ingest, code, measure ...';
