# syntax=docker/dockerfile:1
# The runtime on a Jetson (Orin, JetPack 6), with `engine.device = "tensorrt"`.
# Build on the device, or with buildx for linux/arm64, from the repository's root:
#   docker build -f docker/jetson.Dockerfile -t streamcell-jetson .
# Run with NVIDIA's container runtime, which JetPack brings:
#   docker run --read-only --runtime nvidia -v "$PWD/press-line:/data" -p 127.0.0.1:9464:9464 streamcell-jetson
#
# JetPack 6 itself has Ubuntu 22.04 with Python 3.10, and streamcell needs 3.11. NVIDIA's TensorRT
# images for integrated GPUs (tags -igpu) run on it and have Ubuntu 24.04 with Python 3.12, CUDA 12
# and TensorRT 10 with its Python package. On JetPack 7 (Thor) Jetson takes the images of servers:
#   --build-arg BASE=nvcr.io/nvidia/tensorrt:25.09-py3 --build-arg CUDA_BINDINGS="cuda-bindings>=13,<14"
#
# ONNX Runtime is the CPU's: it only reads bundles here. The wheels of onnxruntime-gpu for arm64 on
# PyPI are for servers' GPUs, and those of NVIDIA's Jetson index for JetPack 6 are for Python 3.10.
ARG BASE=nvcr.io/nvidia/tensorrt:25.04-py3-igpu

FROM ${BASE} AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY pipeline pipeline
COPY trainer trainer
COPY export export
COPY deploy deploy
ARG EXTRAS=cpu,fast
# Of the same CUDA as the base; that of constraints.txt is newer than JetPack 6's driver.
ARG CUDA_BINDINGS="cuda-bindings>=12.8,<13"
# System packages are let in for the base's TensorRT. It is only looked up: to import it takes
# libraries of the device, which are not there while an image is built.
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m venv --system-site-packages --without-pip /opt/streamcell \
 && grep -v '^cuda-' constraints.txt > jetson.txt \
 && python3 -m pip --python /opt/streamcell/bin/python install -c jetson.txt ".[${EXTRAS}]" "${CUDA_BINDINGS}" \
 && /opt/streamcell/bin/python -c "import importlib.util as u; assert u.find_spec('tensorrt'), 'the base has no tensorrt package'"

FROM ${BASE}
RUN groupadd --gid 10001 streamcell \
 && useradd --uid 10001 --gid 10001 --groups video --no-create-home --home-dir /data --shell /usr/sbin/nologin streamcell \
 && install -d -o streamcell -g streamcell /data
COPY --from=build /opt/streamcell /opt/streamcell
LABEL org.opencontainers.image.title="streamcell-jetson" \
      org.opencontainers.image.description="Streaming inference for recurrent models, on NVIDIA Jetson" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
# ONNX Runtime reports its use to its maker unless told not to.
ENV PATH=/opt/streamcell/bin:${PATH} PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 ORT_DISABLE_TELEMETRY=1 \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
# Without a group, so that those of the user count: video opens the GPU.
USER 10001
WORKDIR /data
EXPOSE 9464
# A first start builds an engine for minutes before it answers.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10m \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9464/healthz', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["streamcell"]
CMD ["run", "pipeline.toml"]
