"""Lets a child process run the program by the interpreter at hand: `python -m pipeline.cli`."""

from pipeline.cli.app import main

main()
