-- Which pairs of documents are one paper, or might be?
-- $verdict = doubtful: doubtful, same, preprint or different
SELECT c.document_id, c.other_id, a.title, b.title AS other_title, a.year, b.year AS other_year,
  a.authors, b.authors AS other_authors, a.journal, b.journal AS other_journal, a.source, b.source AS other_source,
  round(score, 2) AS score, reason, decided_by
FROM document_pairs_current c
JOIN documents a ON a.document_id = c.document_id AND a.version = 1
JOIN documents b ON b.document_id = c.other_id AND b.version = 1
LEFT JOIN same_document sa ON sa.document_id = c.document_id LEFT JOIN same_document sb ON sb.document_id = c.other_id
WHERE verdict = $verdict
  AND (verdict = 'same' OR coalesce(sa.canonical_id, c.document_id) <> coalesce(sb.canonical_id, c.other_id))
ORDER BY c.score DESC, c.document_id, c.other_id
