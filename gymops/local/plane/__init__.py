"""What gymops adds to the emulator. It runs in the emulator's process and environment, never in ours.

It may import ``gymops`` modules that need nothing but the standard library, psycopg, and the emulator
itself, which only ``ministack.py`` names.
"""
