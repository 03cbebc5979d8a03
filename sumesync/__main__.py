"""``python -m sumesync``."""

from sumesync.cli.entry import main

if __name__ == "__main__":
    main()
