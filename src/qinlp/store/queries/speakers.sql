-- How much do the speakers of transcripts say, and how much of it hinders or helps?
SELECT d.title, p.speaker, any_value(p."role") AS role, count(DISTINCT p.passage_id) AS passages,
  count(DISTINCT p.passage_id) FILTER (c.code = 'barrier') AS barrier,
  count(DISTINCT p.passage_id) FILTER (c.code = 'enabler') AS enabler
FROM passages_current p JOIN documents_current d USING (document_id)
LEFT JOIN coded_passages c ON c.passage_id = p.passage_id AND c.codebook = 'valence'
WHERE d.kind = 'transcript'
GROUP BY d.title, p.speaker ORDER BY d.title, passages DESC, p.speaker
