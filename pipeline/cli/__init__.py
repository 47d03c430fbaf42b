"""The program `isthmus`: one file per command or group of commands."""
