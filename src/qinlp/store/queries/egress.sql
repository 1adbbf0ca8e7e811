-- Which hosts did each run ask, and how much went out and came in?
-- $limit = 20: how many rows
SELECT run_id, any_value(kind) AS kind, host, sum(requests)::BIGINT AS requests,
  sum(bytes_out)::BIGINT AS bytes_out, sum(bytes_in)::BIGINT AS bytes_in
FROM egress JOIN runs USING (run_id)
GROUP BY run_id, host ORDER BY run_id DESC, host LIMIT $limit::INTEGER
