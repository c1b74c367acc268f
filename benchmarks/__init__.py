"""Measurements of instil beside named peers, on the same work in one run.

`python -m benchmarks.NAME [--quick] [--json]`; the last line on standard output is one JSON object.
"""
