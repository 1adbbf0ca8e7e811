-- One paper, one document: records that turn out to be one paper are joined, and may be parted again.

CREATE TABLE document_pairs (
  document_id VARCHAR NOT NULL,
  other_id VARCHAR NOT NULL,
  verdict VARCHAR NOT NULL,
  score DOUBLE NOT NULL,
  reason VARCHAR NOT NULL,
  decided_by VARCHAR NOT NULL,
  run_id VARCHAR,
  decided_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
COMMENT ON TABLE document_pairs IS 'One row a statement about two documents. Never changed; a later one supersedes, a person''s goes before a rule''s.';
COMMENT ON COLUMN document_pairs.document_id IS 'The later one: of a preprint and its article the article, else the one seen later.';
COMMENT ON COLUMN document_pairs.other_id IS 'The earlier one: the preprint, else the one seen earlier.';
COMMENT ON COLUMN document_pairs.verdict IS 'same (one paper), different, doubtful (a person should look) or preprint (the one is the preprint of the other).';
COMMENT ON COLUMN document_pairs.score IS 'How alike the records are, from 0 to 1.';
COMMENT ON COLUMN document_pairs.reason IS 'Why, in words.';
COMMENT ON COLUMN document_pairs.decided_by IS 'identifier (a record carries identifiers of both), rule (they are alike), or the person.';
COMMENT ON COLUMN document_pairs.run_id IS 'The run that wrote the row; empty for a person.';
COMMENT ON COLUMN document_pairs.decided_at IS 'When it was said.';

CREATE TABLE related (
  document_id VARCHAR NOT NULL,
  relation VARCHAR NOT NULL,
  key VARCHAR NOT NULL,
  run_id VARCHAR NOT NULL,
  PRIMARY KEY (document_id, relation, key)
);
COMMENT ON TABLE related IS 'One row a preprint or article that a source says a document belongs to, whether it is in the store or not.';
COMMENT ON COLUMN related.document_id IS 'The document whose record says so.';
COMMENT ON COLUMN related.relation IS 'preprint of (the document is the preprint) or published as (it is the article).';
COMMENT ON COLUMN related.key IS 'The other one, as in document_keys.key.';
COMMENT ON COLUMN related.run_id IS 'The run that met it first.';

CREATE TABLE match_keys (
  key VARCHAR NOT NULL,
  document_id VARCHAR NOT NULL,
  run_id VARCHAR NOT NULL
);
COMMENT ON TABLE match_keys IS 'One row a trait of a document that has been compared with the others; documents that share one are compared.';
COMMENT ON COLUMN match_keys.key IS 'The trait, such as the first words of the title.';
COMMENT ON COLUMN match_keys.document_id IS 'The document; one that is in here is not compared anew.';
COMMENT ON COLUMN match_keys.run_id IS 'The run that compared it.';

CREATE VIEW document_pairs_current AS
SELECT * FROM document_pairs
QUALIFY row_number() OVER (
  PARTITION BY least(document_id, other_id), greatest(document_id, other_id)
  ORDER BY decided_by NOT IN ('rule', 'identifier') DESC, decided_at DESC, decided_by) = 1;
COMMENT ON VIEW document_pairs_current IS 'One row a pair of documents: the latest statement, a person''s before a rule''s.';

CREATE VIEW same_document AS
WITH RECURSIVE pair AS MATERIALIZED (
  SELECT document_id, other_id FROM document_pairs_current WHERE verdict = 'same'
), linked AS (
  SELECT document_id, other_id FROM pair UNION ALL SELECT other_id, document_id FROM pair
), reached(document_id, member_id) AS (
  SELECT document_id, document_id FROM linked
  UNION
  SELECT r.document_id, l.other_id FROM reached r JOIN linked l ON l.document_id = r.member_id
), member AS MATERIALIZED (
  SELECT DISTINCT document_id AS member_id FROM linked
), judged AS (
  SELECT p.document_id AS member_id, count(DISTINCT j.judgement_id) AS judgements
  FROM judgements j JOIN passages p USING (passage_id) SEMI JOIN member ON p.document_id = member.member_id
  GROUP BY p.document_id
), seen AS (
  SELECT d.document_id AS member_id, arg_max(d.text <> '', d.version) AS worded, min(d.rowid) AS place
  FROM documents d SEMI JOIN member ON d.document_id = member.member_id GROUP BY d.document_id
)
SELECT reached.document_id,
  first(member_id ORDER BY coalesce(judgements, 0) DESC, worded DESC, place) AS canonical_id
FROM reached JOIN seen USING (member_id) LEFT JOIN judged USING (member_id)
GROUP BY reached.document_id;
COMMENT ON VIEW same_document IS 'One row a document that is one with others, and the one of them that stands for all.';
COMMENT ON COLUMN same_document.document_id IS 'The document.';
COMMENT ON COLUMN same_document.canonical_id IS 'The one whose text is shown and coded: that with most judgements of people, else the first seen that has an abstract.';

CREATE OR REPLACE VIEW documents_current AS
WITH merged AS NOT MATERIALIZED ( -- materialized, count(*) would read every text
  SELECT document_id, canonical_id FROM same_document WHERE document_id <> canonical_id
), newest AS (
  SELECT * FROM documents QUALIFY version = max(version) OVER (PARTITION BY document_id)
), named AS (
  SELECT document_id,
    min(substr(key, 5)) FILTER (starts_with(key, 'doi:')) AS doi,
    min(substr(key, 6)) FILTER (starts_with(key, 'pmid:')) AS pmid,
    min(substr(key, 7)) FILTER (starts_with(key, 'pmcid:')) AS pmcid,
    min(substr(key, 10)) FILTER (starts_with(key, 'openalex:')) AS openalex
  FROM (
    SELECT document_id, key FROM document_keys
    UNION ALL SELECT canonical_id, key FROM merged JOIN document_keys USING (document_id)
  ) GROUP BY document_id
)
SELECT document_id, title, text, doi, pmid, pmcid, openalex, year, kind, source, record, authors, journal,
  keywords, mesh, language, sections, turns, metadata, version, text_hash, run_id
FROM (SELECT * FROM newest ANTI JOIN merged USING (document_id)) kept LEFT JOIN named USING (document_id);
COMMENT ON VIEW documents_current IS 'One row a document: its newest version, with every identifier known for it. Documents that are one paper are one row.';
COMMENT ON COLUMN documents_current.doi IS 'Digital Object Identifier, lower case.';
COMMENT ON COLUMN documents_current.pmid IS 'PubMed identifier.';
COMMENT ON COLUMN documents_current.pmcid IS 'PubMed Central identifier.';
COMMENT ON COLUMN documents_current.openalex IS 'OpenAlex work identifier.';

CREATE VIEW provenance_current AS
SELECT coalesce(canonical_id, p.document_id) AS document_id, p.source, p.record, p.text_hash, p.run_id,
  p.document_id AS seen_as
FROM provenance p LEFT JOIN same_document m ON m.document_id = p.document_id;
COMMENT ON VIEW provenance_current IS 'One row a place where a document was seen, duplicates included, under the document that stands for them.';
COMMENT ON COLUMN provenance_current.seen_as IS 'The document as it was first taken to be; another than document_id where records turned out to be one paper.';

CREATE OR REPLACE VIEW judgements_current AS
WITH moved AS (
  SELECT p.passage_id, min(q.passage_id) AS now_id
  FROM (SELECT DISTINCT passage_id FROM judgements) j JOIN passages p USING (passage_id)
  JOIN same_document m ON m.document_id = p.document_id AND m.document_id <> m.canonical_id
  JOIN documents_current d ON d.document_id = m.canonical_id
  JOIN passages q ON q.document_id = d.document_id AND q.text_hash = d.text_hash AND q.input_hash = p.input_hash
  GROUP BY p.passage_id
)
SELECT judgement_id, coalesce(now_id, passage_id) AS passage_id, codebook, code, coder, present, memo, judged_at
FROM judgements LEFT JOIN moved USING (passage_id)
QUALIFY row_number() OVER (
  PARTITION BY coalesce(now_id, passage_id), codebook, code ORDER BY judged_at DESC, judgement_id DESC) = 1;
COMMENT ON VIEW judgements_current IS 'One row a passage and code that people judged: the latest judgement. One of a paper''s other text holds for the passage with the same words.';
