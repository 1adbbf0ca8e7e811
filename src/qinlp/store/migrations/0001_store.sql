-- The store. Every comment here is the data dictionary (docs/data-dictionary.md).

CREATE TABLE runs (
  run_id VARCHAR PRIMARY KEY,
  kind VARCHAR NOT NULL,
  started_at TIMESTAMPTZ NOT NULL,
  finished_at TIMESTAMPTZ,
  status VARCHAR NOT NULL,
  version VARCHAR NOT NULL,
  settings JSON NOT NULL,
  counts JSON NOT NULL
);
COMMENT ON TABLE runs IS 'One row a run of a step that changed the store, finished or not.';
COMMENT ON COLUMN runs.run_id IS 'Start time in UTC and four random digits, so that ids sort by time.';
COMMENT ON COLUMN runs.kind IS 'ingest or code.';
COMMENT ON COLUMN runs.started_at IS 'When the run began.';
COMMENT ON COLUMN runs.finished_at IS 'When it ended; empty while it runs or after it was killed.';
COMMENT ON COLUMN runs.status IS 'running, completed, failed (counts say why) or interrupted (killed; the next run went on from there).';
COMMENT ON COLUMN runs.version IS 'The version of qinlp.';
COMMENT ON COLUMN runs.settings IS 'What the run was told: paths, model, codebooks, encoder, options.';
COMMENT ON COLUMN runs.counts IS 'What the run did: documents, passages, codings, quarantined ...';

CREATE TABLE files (
  path VARCHAR NOT NULL,
  sha256 VARCHAR NOT NULL,
  version VARCHAR NOT NULL,
  records UBIGINT NOT NULL,
  quarantined UBIGINT NOT NULL,
  run_id VARCHAR NOT NULL,
  PRIMARY KEY (path, sha256, version)
);
COMMENT ON TABLE files IS 'One row a file content that was read to its end; a file found here again is not read again.';
COMMENT ON COLUMN files.path IS 'The file, relative to the project folder where it lies inside.';
COMMENT ON COLUMN files.sha256 IS 'SHA-256 of its bytes.';
COMMENT ON COLUMN files.version IS 'The version of qinlp that read it; a newer one reads it again.';
COMMENT ON COLUMN files.records IS 'Readable records in it.';
COMMENT ON COLUMN files.quarantined IS 'Unreadable records in it.';
COMMENT ON COLUMN files.run_id IS 'The run that read it.';

CREATE TABLE documents (
  document_id VARCHAR NOT NULL,
  version UINTEGER NOT NULL,
  text_hash VARCHAR NOT NULL,
  kind VARCHAR NOT NULL,
  title VARCHAR NOT NULL,
  text VARCHAR NOT NULL,
  authors VARCHAR[] NOT NULL,
  year SMALLINT,
  journal VARCHAR NOT NULL,
  keywords VARCHAR[] NOT NULL,
  mesh VARCHAR[] NOT NULL,
  language VARCHAR NOT NULL,
  sections STRUCT(name VARCHAR, "start" INTEGER, "end" INTEGER)[] NOT NULL,
  turns STRUCT(speaker VARCHAR, "role" VARCHAR, "start" INTEGER, "end" INTEGER, seconds DOUBLE)[] NOT NULL,
  metadata JSON NOT NULL,
  source VARCHAR NOT NULL,
  record VARCHAR NOT NULL,
  run_id VARCHAR NOT NULL,
  PRIMARY KEY (document_id, version)
);
COMMENT ON TABLE documents IS 'One row a version of a document: a paper''s abstract or an interview. Never changed; a new text is a new version.';
COMMENT ON COLUMN documents.document_id IS 'The strongest name it was first seen under: doi:, pmid:, pmcid:, openalex:, title: or text:.';
COMMENT ON COLUMN documents.version IS 'From 1 upwards.';
COMMENT ON COLUMN documents.text_hash IS 'Names the text; passages point at it.';
COMMENT ON COLUMN documents.kind IS 'abstract or transcript.';
COMMENT ON COLUMN documents.title IS 'Title as the source gives it; of a transcript without one, the name of its file.';
COMMENT ON COLUMN documents.text IS 'The clean text that all offsets count in (Unicode code points). Headings are in sections, not here.';
COMMENT ON COLUMN documents.authors IS 'In the order of the source.';
COMMENT ON COLUMN documents.year IS 'Year of publication.';
COMMENT ON COLUMN documents.journal IS 'Journal or other container.';
COMMENT ON COLUMN documents.keywords IS 'Keywords of the authors or the database.';
COMMENT ON COLUMN documents.mesh IS 'Medical Subject Headings.';
COMMENT ON COLUMN documents.language IS 'As the source says; often empty.';
COMMENT ON COLUMN documents.sections IS 'Named parts of an abstract: name, start, end.';
COMMENT ON COLUMN documents.turns IS 'Turns of a transcript: speaker, role, start, end of the words, seconds into the recording.';
COMMENT ON COLUMN documents.metadata IS 'Whatever else the source said: volume, pages; in a transcript what stands above the talk (site, wave, date ...).';
COMMENT ON COLUMN documents.source IS 'The file or search that this version came from.';
COMMENT ON COLUMN documents.record IS 'The record within the source; empty where the source is one document.';
COMMENT ON COLUMN documents.run_id IS 'The run that wrote the row.';

CREATE TABLE document_keys (
  key VARCHAR PRIMARY KEY,
  document_id VARCHAR NOT NULL
);
COMMENT ON TABLE document_keys IS 'One row a name a document goes by; records that share one are the same document.';
COMMENT ON COLUMN document_keys.key IS 'scheme:value, such as doi:10.5555/1 or file:interviews/ward3.docx.';
COMMENT ON COLUMN document_keys.document_id IS 'The document so named.';

CREATE TABLE provenance (
  document_id VARCHAR NOT NULL,
  source VARCHAR NOT NULL,
  record VARCHAR NOT NULL,
  text_hash VARCHAR NOT NULL,
  run_id VARCHAR NOT NULL,
  PRIMARY KEY (document_id, source, record, text_hash)
);
COMMENT ON TABLE provenance IS 'One row a place where a document was seen, duplicates included.';
COMMENT ON COLUMN provenance.document_id IS 'The document seen.';
COMMENT ON COLUMN provenance.source IS 'The file or search.';
COMMENT ON COLUMN provenance.record IS 'The record within it.';
COMMENT ON COLUMN provenance.text_hash IS 'The text found there; another than documents_current.text_hash where sources differ.';
COMMENT ON COLUMN provenance.run_id IS 'The run that saw it first.';

CREATE TABLE passages (
  passage_id VARCHAR NOT NULL,
  document_id VARCHAR NOT NULL,
  text_hash VARCHAR NOT NULL,
  "start" INTEGER NOT NULL,
  "end" INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  text VARCHAR NOT NULL,
  section VARCHAR NOT NULL,
  speaker VARCHAR NOT NULL,
  "role" VARCHAR,
  context VARCHAR NOT NULL,
  input_hash VARCHAR NOT NULL
);
COMMENT ON TABLE passages IS 'One row a passage: the unit that is coded. documents.text[start:end] = text.';
COMMENT ON COLUMN passages.passage_id IS 'Names the span: document, text_hash, start, end.';
COMMENT ON COLUMN passages.document_id IS 'The document that it stands in.';
COMMENT ON COLUMN passages.text_hash IS 'The document version that the offsets count in.';
COMMENT ON COLUMN passages."start" IS 'First code point, from 0.';
COMMENT ON COLUMN passages."end" IS 'One past the last code point.';
COMMENT ON COLUMN passages.ordinal IS 'Position in the document, from 0.';
COMMENT ON COLUMN passages.text IS 'Its words, exactly as in the document.';
COMMENT ON COLUMN passages.section IS 'Section of the abstract (Background, Results ...); empty where it has none.';
COMMENT ON COLUMN passages.speaker IS 'Who speaks, as the transcript labels them; empty in an abstract.';
COMMENT ON COLUMN passages."role" IS 'participant or interviewer; empty in an abstract.';
COMMENT ON COLUMN passages.context IS 'What a coder would read before it: title and previous sentence, or the question asked.';
COMMENT ON COLUMN passages.input_hash IS 'Names what the encoder reads; vectors are kept under it.';

CREATE TABLE vectors (
  input_hash VARCHAR NOT NULL,
  encoder VARCHAR NOT NULL,
  vector FLOAT[] NOT NULL
);
COMMENT ON TABLE vectors IS 'One row a text encoded by an encoder; never computed twice.';
COMMENT ON COLUMN vectors.input_hash IS 'See passages.input_hash.';
COMMENT ON COLUMN vectors.encoder IS 'Fingerprint of the encoder: its weights and settings.';
COMMENT ON COLUMN vectors.vector IS 'The embedding, of length 1.';

CREATE TABLE codebooks (
  codebook_hash VARCHAR PRIMARY KEY,
  codebook VARCHAR NOT NULL,
  version VARCHAR NOT NULL,
  title VARCHAR NOT NULL,
  kind VARCHAR NOT NULL,
  run_id VARCHAR NOT NULL
);
COMMENT ON TABLE codebooks IS 'One row a codebook version that passages were coded with.';
COMMENT ON COLUMN codebooks.codebook_hash IS 'Hash of its content: a changed definition is another version.';
COMMENT ON COLUMN codebooks.codebook IS 'Its id, such as cfir.';
COMMENT ON COLUMN codebooks.version IS 'The version its file names.';
COMMENT ON COLUMN codebooks.title IS 'Full title.';
COMMENT ON COLUMN codebooks.kind IS 'framework, valence, level, actor or theme.';
COMMENT ON COLUMN codebooks.run_id IS 'The run that first used it.';

CREATE TABLE codes (
  codebook_hash VARCHAR NOT NULL,
  codebook VARCHAR NOT NULL,
  code VARCHAR NOT NULL,
  name VARCHAR NOT NULL,
  parent VARCHAR,
  position USMALLINT NOT NULL,
  assignable BOOLEAN NOT NULL,
  definition VARCHAR NOT NULL,
  PRIMARY KEY (codebook_hash, code)
);
COMMENT ON TABLE codes IS 'One row a code of a codebook version.';
COMMENT ON COLUMN codes.codebook_hash IS 'The codebook version; see codebooks.';
COMMENT ON COLUMN codes.codebook IS 'The codebook''s id.';
COMMENT ON COLUMN codes.code IS 'The code''s id within the codebook, such as inr.resources.';
COMMENT ON COLUMN codes.name IS 'The code''s name for people.';
COMMENT ON COLUMN codes.parent IS 'The code it is part of.';
COMMENT ON COLUMN codes.position IS 'Order in the codebook, from 0.';
COMMENT ON COLUMN codes.assignable IS 'False for mere headings, which are coded through their parts.';
COMMENT ON COLUMN codes.definition IS 'What the code means.';

CREATE TABLE thresholds (
  coder VARCHAR NOT NULL,
  codebook VARCHAR NOT NULL,
  code VARCHAR NOT NULL,
  threshold FLOAT NOT NULL,
  unsure_from FLOAT NOT NULL,
  unsure_to FLOAT NOT NULL,
  origin VARCHAR NOT NULL,
  PRIMARY KEY (coder, codebook, code)
);
COMMENT ON TABLE thresholds IS 'One row a code that a machine coder decides on.';
COMMENT ON COLUMN thresholds.coder IS 'The machine coder: model name and fingerprint.';
COMMENT ON COLUMN thresholds.codebook IS 'The codebook''s id.';
COMMENT ON COLUMN thresholds.code IS 'The code''s id within the codebook.';
COMMENT ON COLUMN thresholds.threshold IS 'Decided present from this probability on.';
COMMENT ON COLUMN thresholds.unsure_from IS 'Codings from this probability on wait for review ...';
COMMENT ON COLUMN thresholds.unsure_to IS '... up to this one.';
COMMENT ON COLUMN thresholds.origin IS 'How the threshold was chosen.';

CREATE TABLE coded (
  run_id VARCHAR NOT NULL,
  passage_id VARCHAR NOT NULL,
  codebook VARCHAR NOT NULL,
  codebook_hash VARCHAR NOT NULL,
  coder VARCHAR NOT NULL
);
COMMENT ON TABLE coded IS 'One row a passage that a machine coder has coded with a codebook, whatever it found.';
COMMENT ON COLUMN coded.run_id IS 'The run.';
COMMENT ON COLUMN coded.passage_id IS 'The passage.';
COMMENT ON COLUMN coded.codebook IS 'The codebook''s id.';
COMMENT ON COLUMN coded.codebook_hash IS 'The codebook version; see codebooks.';
COMMENT ON COLUMN coded.coder IS 'The machine coder: model name and fingerprint.';

CREATE TABLE codings (
  run_id VARCHAR NOT NULL,
  passage_id VARCHAR NOT NULL,
  codebook VARCHAR NOT NULL,
  code VARCHAR NOT NULL,
  probability FLOAT NOT NULL,
  decision BOOLEAN NOT NULL
);
COMMENT ON TABLE codings IS 'One row a passage, code and run: a calibrated probability. Codes less probable than coding.keep_from have no row.';
COMMENT ON COLUMN codings.run_id IS 'The run that coded.';
COMMENT ON COLUMN codings.passage_id IS 'The passage.';
COMMENT ON COLUMN codings.codebook IS 'The codebook''s id.';
COMMENT ON COLUMN codings.code IS 'The code''s id within the codebook, such as inr.resources.';
COMMENT ON COLUMN codings.probability IS 'Calibrated probability that a coder would give the passage this code.';
COMMENT ON COLUMN codings.decision IS 'Whether it passed the threshold.';

CREATE TABLE judgements (
  judgement_id VARCHAR PRIMARY KEY,
  passage_id VARCHAR NOT NULL,
  codebook VARCHAR NOT NULL,
  code VARCHAR NOT NULL,
  coder VARCHAR NOT NULL,
  present BOOLEAN NOT NULL,
  memo VARCHAR NOT NULL,
  judged_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE judgements IS 'One row a statement of a person about a code on a passage. Never changed; a later one supersedes.';
COMMENT ON COLUMN judgements.judgement_id IS 'Names the statement.';
COMMENT ON COLUMN judgements.passage_id IS 'The passage.';
COMMENT ON COLUMN judgements.codebook IS 'The codebook''s id.';
COMMENT ON COLUMN judgements.code IS 'The code''s id within the codebook.';
COMMENT ON COLUMN judgements.coder IS 'Who judged.';
COMMENT ON COLUMN judgements.present IS 'Whether the passage holds the code.';
COMMENT ON COLUMN judgements.memo IS 'Their note.';
COMMENT ON COLUMN judgements.judged_at IS 'When they judged.';

CREATE TABLE quarantine (
  quarantine_id VARCHAR PRIMARY KEY,
  source VARCHAR NOT NULL,
  record VARCHAR NOT NULL,
  reason VARCHAR NOT NULL,
  raw BLOB NOT NULL,
  run_id VARCHAR NOT NULL,
  quarantined_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE quarantine IS 'One row a record or file that could not be read.';
COMMENT ON COLUMN quarantine.quarantine_id IS 'Names the record, its reason and its bytes.';
COMMENT ON COLUMN quarantine.source IS 'The file or search.';
COMMENT ON COLUMN quarantine.record IS 'The record within it; empty for a whole file.';
COMMENT ON COLUMN quarantine.reason IS 'Why it could not be read.';
COMMENT ON COLUMN quarantine.raw IS 'Its bytes as found; of a whole file the first million.';
COMMENT ON COLUMN quarantine.run_id IS 'The run that met it.';
COMMENT ON COLUMN quarantine.quarantined_at IS 'When it was met.';

CREATE VIEW documents_current AS
WITH newest AS (
  SELECT * FROM documents QUALIFY version = max(version) OVER (PARTITION BY document_id)
), named AS (
  SELECT document_id,
    min(substr(key, 5)) FILTER (starts_with(key, 'doi:')) AS doi,
    min(substr(key, 6)) FILTER (starts_with(key, 'pmid:')) AS pmid,
    min(substr(key, 7)) FILTER (starts_with(key, 'pmcid:')) AS pmcid,
    min(substr(key, 10)) FILTER (starts_with(key, 'openalex:')) AS openalex
  FROM document_keys GROUP BY document_id
)
SELECT document_id, title, text, doi, pmid, pmcid, openalex, year, kind, source, record, authors, journal,
  keywords, mesh, language, sections, turns, metadata, version, text_hash, run_id
FROM newest LEFT JOIN named USING (document_id);
COMMENT ON VIEW documents_current IS 'One row a document: its newest version, with every identifier known for it.';
COMMENT ON COLUMN documents_current.doi IS 'Digital Object Identifier, lower case.';
COMMENT ON COLUMN documents_current.pmid IS 'PubMed identifier.';
COMMENT ON COLUMN documents_current.pmcid IS 'PubMed Central identifier.';
COMMENT ON COLUMN documents_current.openalex IS 'OpenAlex work identifier.';

CREATE VIEW passages_current AS
SELECT p.* FROM passages p SEMI JOIN documents_current d
  ON p.document_id = d.document_id AND p.text_hash = d.text_hash;
COMMENT ON VIEW passages_current IS 'One row a passage of the newest version of a document.';

CREATE VIEW codings_current AS
SELECT c.*, coder, codebook_hash FROM codings c JOIN (
  SELECT passage_id, codebook, max(run_id) AS run_id, arg_max(coder, run_id) AS coder,
    arg_max(codebook_hash, run_id) AS codebook_hash
  FROM coded GROUP BY passage_id, codebook
) USING (passage_id, codebook, run_id);
COMMENT ON VIEW codings_current IS 'One row a passage and code: what the machine coder said last.';

CREATE VIEW judgements_current AS
SELECT * FROM judgements
QUALIFY row_number() OVER (
  PARTITION BY passage_id, codebook, code ORDER BY judged_at DESC, judgement_id DESC) = 1;
COMMENT ON VIEW judgements_current IS 'One row a passage and code that people judged: the latest judgement.';

CREATE VIEW code_tree AS
SELECT c.* FROM codes c JOIN (
  SELECT codebook, arg_max(codebook_hash, run_id) AS codebook_hash FROM coded GROUP BY codebook
) USING (codebook, codebook_hash);
COMMENT ON VIEW code_tree IS 'One row a code of the codebook versions that were used last.';

CREATE VIEW coded_passages AS
WITH decided AS (
  SELECT c.passage_id, c.codebook, c.code, c.probability, 'model' AS decided_by, c.coder
  FROM codings_current c ANTI JOIN judgements_current j
    ON c.passage_id = j.passage_id AND c.codebook = j.codebook AND c.code = j.code
  WHERE c.decision
  UNION ALL
  SELECT j.passage_id, j.codebook, j.code, c.probability, 'human', j.coder
  FROM judgements_current j LEFT JOIN codings_current c USING (passage_id, codebook, code)
  WHERE j.present
)
SELECT p.document_id, p.passage_id, d.title, d.year, d.kind, p.section, p.speaker, p."role", p.text,
  decided.codebook, decided.code, t.name AS code_name, t.parent AS code_parent,
  decided.probability, decided.decided_by, decided.coder,
  p.ordinal, p."start", p."end", p.context, d.source
FROM decided
JOIN passages p USING (passage_id)
JOIN documents_current d ON d.document_id = p.document_id AND d.text_hash = p.text_hash
LEFT JOIN code_tree t ON t.codebook = decided.codebook AND t.code = decided.code;
COMMENT ON VIEW coded_passages IS 'One row a passage and a code it holds: what people judged, and what the machine decided where nobody judged.';
COMMENT ON COLUMN coded_passages.document_id IS 'The document that the passage stands in.';
COMMENT ON COLUMN coded_passages.passage_id IS 'The passage; comes again with every code that it holds.';
COMMENT ON COLUMN coded_passages.text IS 'The words of the passage.';
COMMENT ON COLUMN coded_passages.code IS 'The code''s id within the codebook, such as inr.resources.';
COMMENT ON COLUMN coded_passages.code_name IS 'Name of the code.';
COMMENT ON COLUMN coded_passages.code_parent IS 'The code it is part of.';
COMMENT ON COLUMN coded_passages.probability IS 'The machine coder''s calibrated probability; empty where it gave none.';
COMMENT ON COLUMN coded_passages.decided_by IS 'human or model.';
COMMENT ON COLUMN coded_passages.coder IS 'The person, or the model and its fingerprint.';

CREATE VIEW review_queue AS
SELECT p.document_id, p.passage_id, u.codebook, p.text, p.context, p.speaker, p.section, u.codes, u.margin
FROM (
  SELECT c.passage_id, c.codebook,
    list({'code': c.code, 'probability': c.probability} ORDER BY abs(c.probability - t.threshold)) AS codes,
    min(abs(c.probability - t.threshold)) AS margin
  FROM codings_current c
  JOIN thresholds t ON t.coder = c.coder AND t.codebook = c.codebook AND t.code = c.code
  ANTI JOIN judgements_current j
    ON c.passage_id = j.passage_id AND c.codebook = j.codebook AND c.code = j.code
  WHERE c.probability BETWEEN t.unsure_from AND t.unsure_to
  GROUP BY c.passage_id, c.codebook
) u
JOIN passages_current p USING (passage_id);
COMMENT ON VIEW review_queue IS 'One row a passage and codebook that waits for a person, because the model is unsure of a code.';
COMMENT ON COLUMN review_queue.document_id IS 'The document that the passage stands in.';
COMMENT ON COLUMN review_queue.passage_id IS 'The passage.';
COMMENT ON COLUMN review_queue.text IS 'The words of the passage.';
COMMENT ON COLUMN review_queue.codes IS 'The codes it is unsure of, nearest to their threshold first: code, probability.';
COMMENT ON COLUMN review_queue.margin IS 'Distance of the nearest one from its threshold; sort by it.';

CREATE VIEW latest_run AS
SELECT * FROM runs QUALIFY row_number() OVER (PARTITION BY kind ORDER BY run_id DESC) = 1;
COMMENT ON VIEW latest_run IS 'One row a kind of run: the latest.';
