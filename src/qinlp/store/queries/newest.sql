-- Which documents came in last?
-- $limit = 20: how many documents
SELECT title, kind, year, source, document_id FROM documents_current
ORDER BY run_id DESC, source, document_id LIMIT $limit::INTEGER
