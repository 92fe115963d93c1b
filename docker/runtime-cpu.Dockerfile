# syntax=docker/dockerfile:1
# The runtime on a CPU: no trainer, no compiler, no root, nothing written outside /data.
# Build from the repository's root:
#   docker build -f docker/runtime-cpu.Dockerfile -t streamcell .
# With more extras of pyproject.toml, and the system packages that they need:
#   docker build -f docker/runtime-cpu.Dockerfile -t streamcell-audio \
#     --build-arg EXTRAS=cpu,fast,microphone --build-arg SYSTEM_PACKAGES=libportaudio2 .
# Run with a folder that holds pipeline.toml and the bundle; snapshots go there too:
#   docker run --read-only -v "$PWD/press-line:/data" -p 127.0.0.1:9464:9464 streamcell
ARG PYTHON=3.12.12-slim-trixie

FROM python:${PYTHON} AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY pipeline pipeline
COPY trainer trainer
COPY export export
COPY deploy deploy
ARG EXTRAS=cpu,fast
# Compiled to bytecode here: a read-only image has nowhere to keep it, and starts would be slow.
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv /opt/streamcell \
 && /opt/streamcell/bin/pip install -c constraints.txt ".[${EXTRAS}]"

FROM python:${PYTHON}
ARG SYSTEM_PACKAGES=""
# hadolint ignore=DL3008,SC2086 # whose names are given at build time have the release's versions
RUN if [ -n "${SYSTEM_PACKAGES}" ]; then \
      apt-get update \
   && apt-get install -y --no-install-recommends ${SYSTEM_PACKAGES} \
   && rm -rf /var/lib/apt/lists/*; \
    fi \
 && groupadd --gid 10001 streamcell \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin streamcell \
 && install -d -o streamcell -g streamcell /data
COPY --from=build /opt/streamcell /opt/streamcell
LABEL org.opencontainers.image.title="streamcell" \
      org.opencontainers.image.description="Streaming inference for recurrent models, on a CPU" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
# ONNX Runtime reports its use to its maker unless told not to.
ENV PATH=/opt/streamcell/bin:${PATH} PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 ORT_DISABLE_TELEMETRY=1
USER 10001:10001
WORKDIR /data
EXPOSE 9464
# `http.port` of the TOML; whoever changes it changes this with --health-cmd.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9464/healthz', timeout=2)"]
# The process handles SIGTERM itself and starts no others, so it can be the first one.
STOPSIGNAL SIGTERM
ENTRYPOINT ["streamcell"]
CMD ["run", "pipeline.toml"]
