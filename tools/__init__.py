"""Programs for the people who work on instil; none of them is installed."""
