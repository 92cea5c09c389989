"""RDS with real PostgreSQL servers: instances, snapshots, restores, automated backups, proxies."""
