"""The errors that tell a user what to change."""


class ConfigError(ValueError):
    """A config that cannot work: what was wrong, what was found, what to do.

    ``ies-mm train`` prints it as one line and exits with status 2.
    """


class UnsupportedModelError(ConfigError):
    """A model of which some loss has no per-image value here."""
