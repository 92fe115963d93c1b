# The runtime on a CPU: no trainer, no compiler, no root.
# Build from the repository's root:
#   docker build -f docker/runtime-cpu.Dockerfile -t streamcell .
# Run with a folder that holds pipeline.toml and the bundle; snapshots go there too:
#   docker run -v "$PWD/press-line:/data" -p 9464:9464 streamcell
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY pipeline pipeline
COPY trainer trainer
COPY export export
COPY deploy deploy
RUN python -m venv /opt/streamcell \
 && /opt/streamcell/bin/pip install --no-cache-dir -c constraints.txt '.[cpu,fast]'

FROM python:3.12-slim
COPY --from=build /opt/streamcell /opt/streamcell
RUN useradd --system --uid 10001 --home-dir /data streamcell \
 && install -d -o streamcell /data
ENV PATH=/opt/streamcell/bin:$PATH PYTHONUNBUFFERED=1
USER 10001
WORKDIR /data
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9464/healthz', timeout=2)"]
ENTRYPOINT ["streamcell"]
CMD ["run", "pipeline.toml"]
