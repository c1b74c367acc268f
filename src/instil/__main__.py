"""Run instil as `python -m instil`."""

from instil.cli import main

main()
