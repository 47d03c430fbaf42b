"""The families of errors that every package of Isthmus raises; one policy answers each family.

IsthmusError
  Configuration   bad use or bad configuration: exit code 2
  Unreachable     something needed is not there (a broker, a database, a binary): exit code 3
  Retriable       may succeed when tried again: back off
  Poison          this input can never succeed: dead letter, go on with the rest
  Fatal           going on would lose or corrupt something: stop, exit code 1
"""

from __future__ import annotations


class IsthmusError(Exception):
    """Base of all errors of ours; its text says what failed, where, and what to do."""


class Configuration(IsthmusError):  # noqa: N818 - the families are named by the field's nouns
    """The user asked for something that can't be: a wrong file, name or option."""


class Unreachable(IsthmusError):  # noqa: N818 - as above
    """A server or a program that is needed is not there."""


class Retriable(IsthmusError):  # noqa: N818 - as above
    """The same work may succeed later."""


class Poison(IsthmusError):  # noqa: N818 - as above
    """This one input can never be worked on; everything else can."""


class Fatal(IsthmusError):  # noqa: N818 - as above
    """Going on would lose something: only a person can decide."""
