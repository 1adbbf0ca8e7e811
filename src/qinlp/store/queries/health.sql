-- What did every measuring find: new words, code shift, confidence, share to review?
-- $limit = 40: how many rows, the last ones
SELECT strftime(measured_at, '%Y-%m-%d %H:%M') AS measured, kind, codebook, measure, round(value, 4) AS value, n
FROM measures WHERE measure <> 'code_rate' ORDER BY run_id DESC, kind, codebook, coder, measure LIMIT $limit::INTEGER
