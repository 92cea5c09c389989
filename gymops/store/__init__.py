"""Stores that releases and backups write to: what they promise, and the one in a folder."""
