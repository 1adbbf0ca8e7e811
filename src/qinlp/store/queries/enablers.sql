-- Which codes do enabler passages hold most often, and what is the surest example?
-- $codebook = cfir: the codebook's id
-- $limit = 10: how many codes
SELECT c.code, any_value(c.code_name) AS name, count(*) AS passages, count(DISTINCT c.document_id) AS documents,
  arg_max(c.text, c.probability * v.probability) AS example
FROM coded_passages c
JOIN coded_passages v ON v.passage_id = c.passage_id AND v.codebook = 'valence' AND v.code = 'enabler'
LEFT JOIN code_tree t ON t.codebook = c.codebook AND t.code = c.code
WHERE c.codebook = $codebook AND coalesce(t.assignable, true)
GROUP BY c.code ORDER BY passages DESC, c.code LIMIT $limit::INTEGER
