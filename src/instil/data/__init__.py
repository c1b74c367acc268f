"""Plain values: messages, examples, and how they are written, hashed and drawn."""
