-- Which passages wait for a person, the most doubtful first?
-- $codebook = valence: the codebook's id
-- $limit = 20: how many passages
SELECT text, list_transform(codes, lambda c: c.code || ' ' || round(c.probability, 2)) AS unsure_of, round(margin, 3) AS margin,
  speaker, passage_id
FROM review_queue WHERE codebook = $codebook ORDER BY margin, passage_id LIMIT $limit::INTEGER
