# The stack on the robot's own computer (Jetson Orin): TensorRT 10 for its GPU, ROS 2 Jazzy, Unitree's SDK. arm64.
# Build on the robot, from the repository's root: docker compose -f docker/robot.compose.yaml build
#
# ROBOT_BASE: NVIDIA's TensorRT image for integrated GPUs, with Ubuntu 24.04 and TensorRT 10 (docker/README.md).
ARG ROBOT_BASE
FROM ros:jazzy-ros-core AS ros

FROM ${ROBOT_BASE}
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /opt/beyondmimic
# Where ROS's packages come from, and with which key: as ROS's own image has it.
RUN --mount=type=bind,from=ros,target=/ros \
    cp -a /ros/usr/share/keyrings/ros*.gpg /usr/share/keyrings/ \
 && if [ -d /ros/usr/share/ros-apt-source ]; then cp -a /ros/usr/share/ros-apt-source /usr/share/; fi \
 && cp -a /ros/etc/apt/sources.list.d/ros2* /etc/apt/sources.list.d/
COPY docker/apt docker/apt
RUN apt-get update \
 && xargs --arg-file=docker/apt/ros.txt apt-get install -y --no-install-recommends \
 && rm -rf /var/lib/apt/lists/*
# NVIDIA's image has TensorRT's Python package in a folder of its own until this is run.
RUN if [ -x /opt/tensorrt/python/python_setup.sh ]; then /opt/tensorrt/python/python_setup.sh; fi \
 && python3 -c "import importlib.util as u, sys; sys.exit(u.find_spec('tensorrt') is None)"

COPY requirements requirements
COPY scripts scripts
COPY launch launch
COPY config config
COPY ros2_ws/src ros2_ws/src
RUN apt-get update \
 && . /opt/ros/jazzy/setup.sh && python3 -m scripts.environment unitree \
 && rm -rf /var/lib/apt/lists/*
# pycuda is built against the image's CUDA; onnx and our training package (without torch) are for build-engine.
COPY training training
RUN .venv/bin/python -m pip install --no-cache-dir -r requirements/gpu.txt onnx \
 && .venv/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation -e training
COPY policies policies

COPY docker/entrypoint.sh docker/entrypoint.sh
ENTRYPOINT ["docker/entrypoint.sh"]
CMD ["python", "-m", "beyondmimic_diffusion.bringup", "sim:=real"]
