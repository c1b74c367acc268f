"""Read a recipe once, check all of it, freeze it."""
