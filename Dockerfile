# syntax=docker/dockerfile:1
# docker build -t streamfit .                              for CPUs
# docker build -t streamfit --build-arg ACCELERATOR=gpu .  with CUDA libraries

ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ARG ACCELERATOR=cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY requirements/build.txt requirements/${ACCELERATOR}.txt requirements/
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

FROM ${PYTHON}
COPY --from=build /opt/streamfit /opt/streamfit
ENV PATH=/opt/streamfit/bin:$PATH PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR=/tmp/matplotlib
USER 1000:1000
WORKDIR /tmp
# Exec form: process 1 is ours, and passes Kubernetes' signals on to the job.
ENTRYPOINT ["streamfit"]
