-- Which codings changed between the last two coders of a codebook, and why?
-- $codebook = %: the codebook's id; % for all
-- $limit = 100: how many, those that moved furthest first
SELECT codebook, code, decision_before AS before, decision AS now, why, round(probability_before, 2) AS probability_before,
  round(probability, 2) AS probability, round(threshold_before, 2) AS threshold_before,
  round(threshold, 2) AS threshold, text, coder_before, coder, passage_id
FROM coding_changes WHERE codebook LIKE $codebook
ORDER BY abs(coalesce(probability, 0) - coalesce(probability_before, 0)) DESC, passage_id, code
LIMIT $limit::INTEGER
