"""``python -m sumesync``."""

from sumesync.cli.main import main

if __name__ == "__main__":
    main()
