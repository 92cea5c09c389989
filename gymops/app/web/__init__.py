"""The page: built files in ``static``, what they are built from in ``source``."""
