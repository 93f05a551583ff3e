# DABS in a container. For a CPU:
#
#   docker build --tag dabs .
#   docker run --rm --tty --volume dabs-data:/data --volume dabs-runs:/dabs/runs dabs              # make run
#   docker run --rm --tty --volume dabs-data:/data dabs make test
#
# For NVIDIA GPUs (the host needs the NVIDIA container toolkit):
#
#   docker build --tag dabs:cuda --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130 .
#   docker run --rm --tty --gpus all --volume dabs-data:/data --volume dabs-runs:/dabs/runs dabs:cuda
FROM python:3.11.13-slim-bookworm

# where torch, torchvision and torchaudio come from; their versions are those of pyproject.toml
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 dabs \
    && mkdir --parents /data /dabs/runs \
    && chown --recursive dabs:dabs /data /dabs

USER 1000
WORKDIR /dabs
# with .git, so that results say which commit made them
COPY --chown=dabs:dabs . .
ENV DABS_HOME=/data PATH=/dabs/.venv/bin:$PATH PIP_NO_CACHE_DIR=1
# a version with a local part, such as 2.11.0+cpu, ranks above the same version without one
RUN PIP_EXTRA_INDEX_URL="$TORCH_INDEX" make .venv/installed

CMD ["make", "run"]
