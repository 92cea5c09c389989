"""Resource types the emulator refuses, and those it takes too lightly."""
