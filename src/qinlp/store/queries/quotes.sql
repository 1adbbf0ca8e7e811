-- Which passages hold a code most surely, and where do they stand?
-- $code = inr.resources: the code
-- $limit = 10: how many passages
SELECT text, speaker, title, year, round(probability, 2) AS probability, decided_by, document_id
FROM coded_passages WHERE code = $code
ORDER BY decided_by = 'human' DESC, probability DESC, passage_id LIMIT $limit::INTEGER
