"""Backups that are proved: seals of the event log, recovery points, restores and their audit."""
