"""sumesync: media generation as code. Plan and apply for prompts kept in git."""

__version__ = "0.1.0"
