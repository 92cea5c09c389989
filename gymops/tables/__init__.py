"""Moving the tables of any SQLite file to PostgreSQL: decide, load, prove, all in one transaction."""
