"""Backups that AWS takes: RDS's own, and those of AWS Backup, proved like those we take ourselves."""
