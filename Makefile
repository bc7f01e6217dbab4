# What a user and a developer type. Each command does whatever set-up is missing, and is quick the second time.
SHELL := /bin/bash
VENV := .venv/bin
unexport _ROS_WHEELS_BOOTSTRAP_COMPLETE
export PYTHON TELEOP DURATION POLICY SEED TOUR SIM

# With a sourced ROS 2 Jazzy, our messages in .venv must be found beside its own.
ifeq ($(ROS_DISTRO),jazzy)
export LD_LIBRARY_PATH := $(CURDIR)/.venv/lib:$(LD_LIBRARY_PATH)
export AMENT_PREFIX_PATH := $(CURDIR)/.venv:$(AMENT_PREFIX_PATH)
endif

# $(call environment,sim|train|test|ws): the set-up for a purpose
define environment
	@command -v python3 >/dev/null || { echo "python3 not found. On Debian or Ubuntu: sudo apt install python3 python3-venv python3-dev" >&2; exit 1; }
	@python3 -m scripts.environment $(1)
endef

.DEFAULT_GOAL := help
.PHONY: help sim setup setup-sim setup-isaaclab test-isaaclab test test-fast test-nightly test-faults soak bench-ticks check format params ws train-smoke bench bench-robot bench-stack clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

sim:  ## the stack in MuJoCo over ROS 2: a tour, then a report in out/sim (TOUR=joystick|waypoints|forest|composed|planner_lost, SEED, TELEOP=keyboard, DURATION, POLICY; LOCKSTEP=1: same seed, same run; FACTOR=0.5: real-time factor; SIM=unitree_mujoco: through Unitree's DDS)
	$(call environment,$(if $(filter unitree_mujoco,$(SIM)),unitree,sim))
	@exec $(VENV)/python -m beyondmimic_diffusion.sim_session $(if $(SIM),--sim "$(SIM)") \
		$(if $(TELEOP),--teleop "$(TELEOP)") $(if $(DURATION),--duration "$(DURATION)") $(if $(POLICY),--policy "$(POLICY)") \
		$(if $(SEED),--seed "$(SEED)") $(if $(TOUR),--tour "$(TOUR)") \
		$(if $(filter-out 0 false,$(LOCKSTEP)),--lockstep) $(if $(FACTOR),--real-time-factor "$(FACTOR)")

setup:  ## all of the set-up, training and tests included; runs nothing
	$(call environment,test)

setup-sim:  ## the set-up of `make sim` alone; runs nothing
	$(call environment,sim)

setup-isaaclab:  ## Isaac Lab 3 on the CPU in an environment of its own (.venv-isaaclab, 2 GB), for `collect --backend isaaclab`
	@command -v python3 >/dev/null || { echo "python3 not found" >&2; exit 1; }
	@python3 -m scripts.environment.isaaclab

test-isaaclab: setup-isaaclab  ## collection in Isaac Lab against collection in MuJoCo, and the types of Isaac Lab 2.x and 3.x
	$(call environment,test)
	@$(VENV)/python -m pytest -ra tests/isaac_lab $(PYTEST_ARGS)

test:  ## all tests that need no GPU and no robot; lists what was skipped and why
	$(call environment,test)
	@exec $(VENV)/python -m scripts.run_tests $(PYTEST_ARGS)

test-fast:  ## the core's tests alone
	$(call environment,test)
	@$(VENV)/python -m pytest -ra -m "not slow and not sim and not ros" tests/core tests/contracts $(PYTEST_ARGS)

test-nightly:  ## the property tests of the executor and its filter with CASES (100000) cases
	$(call environment,test)
	@CASES=$(or $(CASES),100000) exec $(VENV)/python -m pytest -ra tests/core/execution/test_hostile_inputs.py $(PYTEST_ARGS)

test-faults:  ## each fault of docs/safety.md injected N (5) times into a walk over ROS 2; a table in out/faults (ONLY=name,..; RESUME=1; FACTOR=0.5)
	$(call environment,test)
	@exec $(VENV)/python -m tests.faults --n $(or $(N),5) $(if $(ONLY),--only "$(ONLY)") $(if $(RESUME),--resume) $(if $(FACTOR),--real-time-factor $(FACTOR))

soak:  ## random velocities and faults for MINUTES (30): memory, latency, mode changes; a report in out/soak (SEED; FACTOR=0.5)
	$(call environment,test)
	@exec $(VENV)/python -m tests.soak --minutes $(or $(MINUTES),30) $(if $(SEED),--seed $(SEED)) $(if $(FACTOR),--real-time-factor $(FACTOR))

bench-ticks:  ## lateness of the executor's ticks over MINUTES (10) beside a busy planner and a hog in its process; out/ticks
	$(call environment,test)
	@exec $(VENV)/python -m tests.soak.ticks --minutes $(or $(MINUTES),10) $(if $(FACTOR),--real-time-factor $(FACTOR))

check:  ## formatting, lint, types, import contracts, spelling; changes nothing
	$(call environment,test)
	$(VENV)/ruff format --check .
	$(VENV)/ruff check .
	$(VENV)/pyright
	$(VENV)/lint-imports --no-cache
	$(VENV)/codespell

format:  ## format and fix what can be fixed
	$(call environment,test)
	$(VENV)/ruff format .
	$(VENV)/ruff check --fix .

params:  ## write config/*.param.yaml from the nodes' configuration dataclasses
	$(call environment,test)
	@$(VENV)/python -m scripts.parameters

ws:  ## colcon build and test of ros2_ws
	$(call environment,ws)
	@python3 -m scripts.workspace

train-smoke:  ## collect, train, evaluate and export on a tiny setting
	$(call environment,train)
	@exec $(VENV)/python -m beyondmimic_training smoke

bench:  ## the benchmarks: percentiles, with machine and commit
	$(call environment,test)
	@exec $(VENV)/python -m beyondmimic_training bench

bench-robot:  ## an executor with Unitree's messages at 500 Hz on one core: cost and lateness, beside the SDK's own way
	$(call environment,unitree)
	@exec $(VENV)/python -m beyondmimic_diffusion.bench_robot $(BENCH_ARGS)

bench-stack:  ## CPU-seconds per robot second of every process while walking; AGAINST=another checkout: both in turns (WALK=25 s, TURNS=1, JSON=file)
	$(call environment,sim)
	@exec $(VENV)/python -m beyondmimic_diffusion.bench_stack $(if $(WALK),--seconds "$(WALK)") $(if $(TURNS),--turns "$(TURNS)") \
		$(if $(AGAINST),--against "$(AGAINST)") $(if $(JSON),--json "$(JSON)") $(BENCH_ARGS)

clean:  ## remove the environment, builds and caches; keeps data/, runs/ and out/
	rm -rf .venv .venv-isaaclab ros2_ws/build ros2_ws/install ros2_ws/log .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find . -name '*.egg-info' -type d -prune -exec rm -rf {} +
