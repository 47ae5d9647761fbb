"""The warehouse: DuckDB's room. Schema, migrations, loading, views, sealing, publishing. Knows nothing of HTTP or pages."""
