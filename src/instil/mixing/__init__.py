"""Sources to one mixture, by shards: the same functions on one core, on many and on a cluster.

Every step is a pure function from files to files (`work.py` runs them). Rows go to buckets by the hash of
their content, so that what is decided about a row never depends on the order of sources, files or rows, or
on the number of workers, and the memory of a step is that of one bucket:

    reading     parts of files → rows in buckets by content          reading.py, cleaning.py
    unique      each bucket → its different rows                     unique.py
    near        rows that are nearly alike, across buckets           near.py
    choosing    which rows, how often, on which side of the split    selection.py, tables.py, split.py
    writing     buckets → shards of the final order                  writing.py

`exchange.py` carries rows from the files of one step to those of the next; `mixture.py` is the whole way.
"""
