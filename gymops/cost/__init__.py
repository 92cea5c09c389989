"""What an environment costs a month: its templates and a usage profile, at dated list prices."""
