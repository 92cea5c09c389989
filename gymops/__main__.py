"""``python -m gymops``."""

from gymops.cli import main

if __name__ == "__main__":
    main()
