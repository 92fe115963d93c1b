# syntax=docker/dockerfile:1
# The runtime on an NVIDIA GPU, with `engine.device` "cuda", "tensorrt" or "auto".
# Build from the repository's root:
#   docker build -f docker/runtime-cuda.Dockerfile -t streamcell-cuda .
# Run on a host with NVIDIA's driver (580 or newer, for CUDA 13) and its container toolkit:
#   docker run --read-only --gpus all -v "$PWD/press-line:/data" -p 127.0.0.1:9464:9464 streamcell-cuda
# Built TensorRT engines are kept beside the TOML in /data, so the second start has them.
#
# CUDA 13 and cuDNN 9 are what the wheels of onnxruntime-gpu are built for; here the system has
# them, and the loader finds them. The base's Ubuntu 24.04 has Python 3.12.
ARG BASE=nvidia/cuda:13.2.1-cudnn-runtime-ubuntu24.04

FROM ${BASE} AS base
# hadolint ignore=DL3008 # Ubuntu keeps only the newest build of a package
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/*

FROM base AS build
# hadolint ignore=DL3008 # as above
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY pipeline pipeline
COPY trainer trainer
COPY export export
COPY deploy deploy
ARG EXTRAS=gpu,tensorrt,fast
# The engines are written for TensorRT 10. Its package is for CUDA 13, like the rest, and its
# libraries come from NVIDIA's own index.
ARG TENSORRT="tensorrt==10.16.1.11"
ARG TENSORRT_INDEX=https://pypi.nvidia.com
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m venv /opt/streamcell \
 && /opt/streamcell/bin/pip install -c constraints.txt --extra-index-url "${TENSORRT_INDEX}" \
      ".[${EXTRAS}]" "${TENSORRT}"

FROM base
RUN groupadd --gid 10001 streamcell \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin streamcell \
 && install -d -o streamcell -g streamcell /data
COPY --from=build /opt/streamcell /opt/streamcell
LABEL org.opencontainers.image.title="streamcell-cuda" \
      org.opencontainers.image.description="Streaming inference for recurrent models, on NVIDIA GPUs" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
# ONNX Runtime reports its use to its maker unless told not to.
ENV PATH=/opt/streamcell/bin:${PATH} PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 ORT_DISABLE_TELEMETRY=1 \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001:10001
WORKDIR /data
EXPOSE 9464
# A first start may build an engine for minutes before it answers.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10m \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9464/healthz', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["streamcell"]
CMD ["run", "pipeline.toml"]
