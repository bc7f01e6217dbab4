# The stack on a workstation: ROS 2 Jazzy, MuJoCo, rviz, Unitree's SDK. x86-64.
# Build from the repository's root: docker compose -f docker/workstation.compose.yaml build
FROM ros:jazzy-ros-base

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /opt/beyondmimic
COPY docker/apt docker/apt
RUN apt-get update \
 && xargs --arg-file=docker/apt/ros.txt apt-get install -y --no-install-recommends \
 && xargs --arg-file=docker/apt/workstation.txt apt-get install -y --no-install-recommends \
 && rm -rf /var/lib/apt/lists/*

COPY requirements requirements
COPY scripts scripts
COPY launch launch
COPY config config
COPY ros2_ws/src ros2_ws/src
# Unpacking CycloneDDS needs apt's lists once more.
RUN apt-get update \
 && . /opt/ros/jazzy/setup.sh && python3 -m scripts.environment unitree \
 && rm -rf /var/lib/apt/lists/*
COPY policies policies

COPY docker/entrypoint.sh docker/entrypoint.sh
ENTRYPOINT ["docker/entrypoint.sh"]
CMD ["python", "-m", "beyondmimic_diffusion.bringup", "sim:=mujoco"]
