"""AWS Backup acting on real databases: jobs, recovery points, copies, restores, restore tests, vault lock."""
