"""Keep artifacts: whole files, run directories, and the record of what each holds."""
