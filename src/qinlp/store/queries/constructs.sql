-- Which constructs are talked about most, hindering or helping, with the surest example?
-- $codebook = cfir: the codebook's id
-- $limit = 10: how many constructs
WITH marked AS (
  SELECT passage_id, bool_or(code = 'barrier') AS barrier, bool_or(code = 'enabler') AS enabler,
    max(probability) AS surely
  FROM coded_passages WHERE codebook = 'valence' GROUP BY passage_id
)
SELECT c.code, any_value(c.code_name) AS name, count(*) FILTER (barrier) AS barrier,
  count(*) FILTER (enabler) AS enabler, count(DISTINCT c.document_id) AS documents,
  arg_max(c.text, c.probability * surely * CASE WHEN length(c.text) BETWEEN 40 AND 160 THEN 1 ELSE 0.5 END) AS example
FROM coded_passages c JOIN marked USING (passage_id) LEFT JOIN code_tree t USING (codebook, code)
WHERE c.codebook = $codebook AND coalesce(t.assignable, true)
GROUP BY c.code ORDER BY count(*) DESC, c.code LIMIT $limit::INTEGER
