# syntax=docker/dockerfile:1
#
# The payload as one image, for AWS Lambda and for whatever else runs containers.
#
#   docker buildx build --platform linux/arm64 --provenance=false --tag titan-trakr .
#   docker run --publish 8080:8080 --env GYMOPS_APP_DATABASE=... titan-trakr
#   docker run --env GYMOPS_APP_DATABASE=... titan-trakr python -m gymops schema upgrade --to env:GYMOPS_APP_DATABASE
#
# Lambda takes linux/amd64 and linux/arm64, and no index of attestations: hence --provenance=false.
#
# The base is Python's own image and not AWS's for Lambda: that one's 3.11 stands on Amazon Linux 2, whose
# glibc is too old for today's wheels (manylinux_2_28), runs as root outside Lambda, and brings a boto3 of its
# own choice. All that Lambda needs of an image is its runtime's client, awslambdaric, which is a wheel.
# To build the same image twice, name the base by digest: --build-arg PYTHON=python@sha256:...
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /opt/app
COPY requirements-image.lock ./
# Wheels only: nothing is compiled, and what is installed is what was locked.
RUN python -m venv --without-pip /opt/venv \
 && pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --disable-pip-version-check \
      --only-binary :all: --require-hashes --requirement requirements-image.lock \
 && rm requirements-image.lock
COPY gymops gymops
COPY migrations migrations
COPY runbooks runbooks
# Lambda's disk cannot be written to: what is not compiled here is compiled at every cold start.
RUN /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/venv/lib gymops migrations \
 && chmod -R a+rX /opt/app /opt/venv

FROM ${PYTHON}
RUN pip uninstall --yes --quiet --root-user-action ignore setuptools wheel pip
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/app /opt/app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp
WORKDIR /opt/app
# By number, as an orchestrator that refuses root needs it. Lambda brings a user of its own.
USER 10001:10001
# Fargate gives a mounted /tmp the mode that it has here only where the image says so.
VOLUME /tmp
# GYMOPS_APP_PORT and GYMOPS_APP_HEALTH_PATH change where it listens and what is asked.
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s CMD ["python", "-m", "gymops.app.entry", "health"]
ENTRYPOINT ["python", "-m", "gymops.app.entry"]
