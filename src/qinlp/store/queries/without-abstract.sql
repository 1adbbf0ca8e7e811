-- Which papers came without an abstract, so that nothing of them is coded?
SELECT document_id, title, year, source FROM documents_current WHERE text = '' ORDER BY source, document_id
