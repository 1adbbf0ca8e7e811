-- How often does each code of a codebook occur, with barrier and with enabler?
-- $codebook = cfir: the codebook's id
WITH marked AS (
  SELECT passage_id, bool_or(code = 'barrier') AS barrier, bool_or(code = 'enabler') AS enabler
  FROM coded_passages WHERE codebook = 'valence' GROUP BY passage_id
)
SELECT c.code, any_value(c.code_name) AS name, count(*) AS passages, count(DISTINCT document_id) AS documents,
  count(*) FILTER (barrier) AS barrier, count(*) FILTER (enabler) AS enabler
FROM coded_passages c LEFT JOIN marked USING (passage_id)
WHERE c.codebook = $codebook
GROUP BY c.code ORDER BY passages DESC, c.code
