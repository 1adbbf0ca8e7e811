-- Which tables and views are there, and what is a row and a column of each?
-- $table = %: one table or view, or % for all
SELECT coalesce(t.view_name, b.table_name) AS "table", c.column_name AS "column", c.data_type AS type,
  coalesce(c.comment, t.comment, b.comment) AS meaning
FROM duckdb_columns() c
LEFT JOIN duckdb_views() t ON t.view_name = c.table_name AND NOT t.internal
LEFT JOIN duckdb_tables() b ON b.table_name = c.table_name
WHERE NOT c.internal AND c.table_name LIKE $table AND coalesce(t.view_name, b.table_name) IS NOT NULL
ORDER BY t.view_name IS NULL, 1, c.column_index
