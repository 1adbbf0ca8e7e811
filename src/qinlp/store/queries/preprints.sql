-- Which preprints came with the article that they became?
SELECT a.title, a.document_id AS article, a.year, p.document_id AS preprint, p.year AS preprint_year, reason, decided_by
FROM document_pairs_current c
LEFT JOIN same_document sa ON sa.document_id = c.document_id LEFT JOIN same_document sp ON sp.document_id = c.other_id
JOIN documents_current a ON a.document_id = coalesce(sa.canonical_id, c.document_id)
JOIN documents_current p ON p.document_id = coalesce(sp.canonical_id, c.other_id)
WHERE verdict = 'preprint' ORDER BY a.document_id, p.document_id
