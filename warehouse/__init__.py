"""The warehouse: the ledger in DuckDB: schema, migrations, loading, views, publishing. Knows nothing of HTTP or pages."""
