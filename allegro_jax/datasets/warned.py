"""The classes of our warnings about data, so that they can be filtered."""


class DataWarning(UserWarning):
    """Data look wrong: units, labels, geometries. The message says what was found and what to do.

    Silence it with `warnings.filterwarnings("ignore", category=DataWarning)` once you know better.
    """


class LeakWarning(DataWarning):
    """Training and test structures are not independent, so test errors will be too good."""
