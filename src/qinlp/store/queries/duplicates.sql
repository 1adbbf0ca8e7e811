-- Which documents were seen in more than one place?
SELECT document_id, any_value(d.title) AS title, count(*) AS places, count(DISTINCT p.seen_as) AS joined,
  list(p.source || CASE WHEN p.record = '' THEN '' ELSE ' #' || p.record END ORDER BY p.source, p.record) AS seen_in
FROM provenance_current p JOIN documents_current d USING (document_id)
GROUP BY document_id HAVING count(*) > 1 ORDER BY places DESC, document_id
