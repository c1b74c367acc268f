"""A run as one self-contained page: what was asked, what became of it, and whether it helped."""
