"""The local AWS: an emulator on loopback with real PostgreSQL servers and real functions behind it."""
