"""What the benchmarks run in the peers' own environments; each file is a program by itself."""
