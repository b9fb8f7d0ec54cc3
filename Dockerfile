# syntax=docker/dockerfile:1
# docker build -t streamfit .                              for CPUs
# docker build -t streamfit --build-arg ACCELERATOR=gpu .  with CUDA libraries
#
# It runs with a read-only root and a writable /tmp, as any user, without capabilities.

ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ARG ACCELERATOR=cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY requirements/build.txt requirements/${ACCELERATOR}.txt requirements/
# pip compiles what it installs: nobody can do so later, below a read-only root.
RUN pip install --require-hashes -r requirements/build.txt \
    && python -m venv --without-pip /opt/streamfit \
    && pip --python /opt/streamfit/bin/python install \
        --require-hashes -r requirements/${ACCELERATOR}.txt
COPY pyproject.toml README.md LICENSE ./
COPY domain domain
COPY ports ports
COPY adapters adapters
COPY bootstrap bootstrap
RUN pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /wheels . \
    && pip --python /opt/streamfit/bin/python install --no-deps --no-index /wheels/*

# What was installed, as CycloneDX: in a stage of its own, for the tool to stay out.
FROM build AS sbom
COPY requirements/sbom.txt requirements/
RUN pip install --require-hashes -r requirements/sbom.txt \
    && cyclonedx-py environment --gather-license-texts --pyproject pyproject.toml \
        --output-reproducible --output-file /sbom.cdx.json /opt/streamfit/bin/python

FROM ${PYTHON}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="streamfit" \
    org.opencontainers.image.description="model.fit on a data stream: a training job between Kafka and Keras" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
# The base image comes without its bytecode.
RUN python -m compileall -q -x /site-packages/ /usr/local/lib
COPY --from=build /opt/streamfit /opt/streamfit
COPY --from=sbom /sbom.cdx.json /opt/streamfit/share/sbom.cdx.json
# A user without an entry in /etc/passwd has neither a folder for caches nor a name, and
# libraries ask for both.
ENV PATH=/opt/streamfit/bin:$PATH PYTHONDONTWRITEBYTECODE=1 HOME=/tmp LOGNAME=streamfit
USER 1000:1000
WORKDIR /tmp
# Exec form: process 1 is ours, and passes Kubernetes' signals on to the job.
ENTRYPOINT ["streamfit"]
