"""The steps of the pipeline, one file or folder each; none imports another."""
