# Collecting, training, evaluating and exporting on an NVIDIA GPU: CUDA, torch, MuJoCo. x86-64.
# Build from the repository's root: docker compose -f docker/training.compose.yaml build
FROM nvidia/cuda:12.8.1-base-ubuntu24.04

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /opt/beyondmimic
COPY docker/apt docker/apt
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive xargs --arg-file=docker/apt/training.txt apt-get install -y --no-install-recommends \
 && rm -rf /var/lib/apt/lists/*

COPY requirements requirements
COPY scripts scripts
COPY launch launch
COPY config config
COPY ros2_ws/src ros2_ws/src
COPY training training
RUN python3 -m scripts.environment train
COPY policies policies

COPY docker/entrypoint.sh docker/entrypoint.sh
ENV MUJOCO_GL=egl
ENTRYPOINT ["docker/entrypoint.sh"]
CMD ["python", "-m", "beyondmimic_training", "--help"]
