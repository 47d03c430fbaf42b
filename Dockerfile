# Two images of ours: `isthmus` (the program and the site retail) and `connect` (Kafka Connect with
# Debezium's PostgreSQL plugin, from the same lock file as the local stack). Never run here: see README.

ARG PYTHON_VERSION=3.11
ARG KAFKA_VERSION=4.2.0

FROM python:${PYTHON_VERSION}-slim-bookworm AS isthmus
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /site
COPY requirements.lock ./
RUN pip install --require-hashes --no-deps --requirement requirements.lock
COPY . .
RUN pip install --no-deps --no-build-isolation --editable . \
 && useradd --create-home isthmus \
 && install --directory --owner isthmus .isthmus
USER isthmus
ENTRYPOINT ["isthmus"]

FROM isthmus AS plugins
# downloaded, verified against the locked sha256 and unpacked by the local stack's own code
RUN python - <<'PY'
import shutil
from pathlib import Path

from pipeline.local_stack.artifacts import PLUGINS, read_lock
from pipeline.local_stack.download import artifact_cache, fetch, repositories, unpack

for artifact in read_lock():
    if artifact.bundle == PLUGINS["postgresql"]:
        fetch(artifact, artifact_cache(), repositories(), lambda _: None)
        folder = unpack(artifact, artifact_cache())
        shutil.copytree(folder, Path.home() / "plugins", dirs_exist_ok=True)
PY

FROM apache/kafka:${KAFKA_VERSION} AS connect
COPY --from=plugins /home/isthmus/plugins /opt/isthmus/plugins
CMD ["/opt/kafka/bin/connect-distributed.sh", "/opt/isthmus/worker.properties"]
