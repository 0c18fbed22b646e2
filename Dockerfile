# The service as an image: locked, hash-checked packages in a virtual environment of their own, and
# nothing that builds them. It runs as a numeric user, needs no shell, and writes nowhere.
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

# The packages first: they change less often than the service. Wheels only, so no compiler either.
COPY requirements.lock ./
RUN python -m venv /opt/hubblewatch \
    && /opt/hubblewatch/bin/pip install --require-hashes --only-binary :all: -r requirements.lock

COPY deploy/image/requirements-build.lock ./
RUN python -m venv tools \
    && tools/bin/pip install --require-hashes --only-binary :all: -r requirements-build.lock

COPY pyproject.toml README.md LICENSE ./
COPY models models
COPY service service
RUN tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir wheels . \
    && /opt/hubblewatch/bin/pip install --no-deps --no-index wheels/*.whl \
    && /opt/hubblewatch/bin/pip check \
    && /opt/hubblewatch/bin/pip uninstall --yes pip setuptools

FROM ${PYTHON_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="hubblewatch" \
      org.opencontainers.image.description="Flow-based anomaly detection for clusters that run Cilium" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/hubblewatch/hubblewatch" \
      org.opencontainers.image.documentation="https://github.com/hubblewatch/hubblewatch/blob/main/README.md" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

COPY --from=build /opt/hubblewatch /opt/hubblewatch

# The root file system may be read-only: bytecode was compiled above and none is written here. The
# server's default address, 127.0.0.1, is not reached from outside a container.
ENV PATH=/opt/hubblewatch/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HUBBLEWATCH_SERVE__HOST=0.0.0.0 \
    HUBBLEWATCH_LOG__FORMAT=json
WORKDIR /
USER 10001:10001
EXPOSE 9464

# Fails when there is lag and no progress. Kubernetes has its own probes and ignores this.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ.get('HUBBLEWATCH_SERVE__PORT', '9464') + '/healthz', timeout=4)"]

ENTRYPOINT ["hubblewatch"]
CMD ["--help"]
