"""Backups of tables of items: taken by AWS, held to what was in the tables around the time."""
