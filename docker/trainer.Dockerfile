# syntax=docker/dockerfile:1
# Training, export and evaluation: from data to a bundle.
# Build from the repository's root, for a processor or for an NVIDIA GPU:
#   docker build -f docker/trainer.Dockerfile -t streamcell-trainer .
#   docker build -f docker/trainer.Dockerfile -t streamcell-trainer-cuda \
#     --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130 .
# Run with a folder that holds the data, as its owner, so that the results are theirs:
#   docker run --user "$(id -u):$(id -g)" -v "$PWD:/data" streamcell-trainer \
#     train anomaly --data press.csv --out out
ARG PYTHON=3.12.12-slim-trixie

FROM python:${PYTHON} AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY pipeline pipeline
COPY trainer trainer
COPY export export
COPY deploy deploy
ARG EXTRAS=cpu,fast,train,tracking
# PyPI's torch for Linux brings CUDA, 3 GB of it. A build of this index has a local version
# (2.13.0+cpu), which pip takes before the plain one.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv /opt/streamcell \
 && /opt/streamcell/bin/pip install -c constraints.txt --extra-index-url "${TORCH_INDEX}" ".[${EXTRAS}]"

FROM python:${PYTHON}
RUN groupadd --gid 10001 streamcell \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin streamcell \
 && install -d -o streamcell -g streamcell /data
COPY --from=build /opt/streamcell /opt/streamcell
LABEL org.opencontainers.image.title="streamcell-trainer" \
      org.opencontainers.image.description="Training and export of recurrent models for streamcell" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
# Some libraries keep caches in a home directory, which may be read-only or somebody else's.
# ONNX Runtime reports its use to its maker unless told not to.
ENV PATH=/opt/streamcell/bin:${PATH} PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 ORT_DISABLE_TELEMETRY=1 \
    MPLCONFIGDIR=/tmp/matplotlib XDG_CACHE_HOME=/tmp/cache
USER 10001:10001
WORKDIR /data
# It ends by itself, and serves nothing.
HEALTHCHECK NONE
STOPSIGNAL SIGINT
ENTRYPOINT ["streamcell"]
CMD ["--help"]
