"""Amazon Web Services: sessions, and one narrow client per service.

boto3 takes 100 ms to import, so nothing here imports it before a client is made.
"""
