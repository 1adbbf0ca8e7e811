-- How much is in the store?
SELECT * FROM (
  SELECT 1 AS position, 'documents' AS what, count(*) AS n FROM documents_current
  UNION ALL SELECT 2, 'of them transcripts', count(*) FROM documents_current WHERE kind = 'transcript'
  UNION ALL SELECT 3, 'records of documents already known', (SELECT count(*) FROM provenance) - (SELECT count(*) FROM documents)
    + (SELECT count(*) FROM same_document WHERE document_id <> canonical_id)
  UNION ALL SELECT 4, 'passages', count(*) FROM passages_current
  UNION ALL SELECT 5, 'passages coded', count(DISTINCT passage_id) FROM coded SEMI JOIN passages_current USING (passage_id)
  UNION ALL SELECT 6, 'barrier passages', count(DISTINCT passage_id) FROM coded_passages WHERE codebook = 'valence' AND code = 'barrier'
  UNION ALL SELECT 7, 'enabler passages', count(DISTINCT passage_id) FROM coded_passages WHERE codebook = 'valence' AND code = 'enabler'
  UNION ALL SELECT 8, 'passages waiting for review', count(DISTINCT passage_id) FROM review_queue WHERE codebook = 'valence'
  UNION ALL SELECT 9, 'judgements by people', count(*) FROM judgements
  UNION ALL SELECT 10, 'pairs that may be one paper', count(*) FROM document_pairs_current WHERE verdict = 'doubtful'
  UNION ALL SELECT 11, 'records in quarantine', count(*) FROM quarantine_open
) ORDER BY position
