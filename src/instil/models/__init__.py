"""Language models: load, render, sample. Only this package, the engines and the training loop use torch."""
