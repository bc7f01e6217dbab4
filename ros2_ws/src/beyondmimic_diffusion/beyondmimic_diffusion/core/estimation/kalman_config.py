"""What the filter believes about sensors and floor."""

from __future__ import annotations

from dataclasses import dataclass

from ..parameters import param, validate


@dataclass(frozen=True)
class KalmanConfig:
    """What the filter believes about sensors and floor."""

    gyro_noise: float = param(
        2e-3, unit="rad/s/sqrt(Hz)", lo=1e-6, hi=0.1, doc="White noise of the gyro: std of a sample / sqrt(its rate)."
    )
    acc_noise: float = param(
        0.034, unit="m/s^2/sqrt(Hz)", lo=1e-5, hi=1.0, doc="White noise of the accelerometer, vibration included."
    )
    gyro_bias_walk: float = param(2e-4, unit="rad/s/sqrt(s)", lo=0.0, hi=0.1, doc="How fast the gyro's biases wander.")
    acc_bias_walk: float = param(
        2e-3, unit="m/s^2/sqrt(s)", lo=0.0, hi=1.0, doc="How fast the accelerometer's biases wander."
    )
    gyro_bias: float = param(0.03, unit="rad/s", lo=0.0, hi=1.0, doc="Standard deviation of the gyro's first biases.")
    acc_bias: float = param(0.15, unit="m/s^2", lo=0.0, hi=5.0, doc="Likewise of the accelerometer's.")
    encoder_noise: float = param(
        0.0105, unit="rad", lo=1e-5, hi=0.2, doc="Standard deviation of a joint angle's error from sample to sample."
    )
    encoder_rate_noise: float = param(
        0.12, unit="rad/s", lo=1e-4, hi=5.0, doc="Standard deviation of a joint velocity's error."
    )
    foot_drift: float = param(
        0.008, unit="m/sqrt(s)", lo=1e-5, hi=1.0, doc="How far a standing foot's point of contact wanders."
    )
    foot_turn: float = param(0.008, unit="rad/sqrt(s)", lo=1e-5, hi=3.0, doc="How far a standing foot turns.")
    slip_average: float = param(
        0.04, unit="s", lo=0.001, hi=1.0, doc="Time over which a standing foot's speed is averaged to see it slip."
    )
    slip_time: float = param(
        0.05, unit="s", lo=0.0, hi=1.0, doc="How long a foot goes on slipping at the speed it is seen to slip with."
    )
    slip_gate: float = param(
        25.0, lo=5.0, hi=1000.0, doc="Squared normalised innovation (4 numbers) from which a foot has slipped."
    )
    lost_time: float = param(
        0.04, unit="s", lo=0.0, hi=1.0, doc="After all standing feet failed the test for so long, the speed is unknown."
    )
    flat_floor: bool = param(True, doc="The floor is level: each foot that is put down tells the height.")
    floor_std: float = param(
        0.006, unit="m", lo=1e-4, hi=0.5, doc="Standard deviation of the height at which a foot is put down."
    )
    air_time: float = param(
        0.6, unit="s", lo=0.1, hi=10.0, doc="A robot without load on its feet for longer is held, not flying."
    )
    air_speed: float = param(
        0.1, unit="m/s*sqrt(s)", lo=1e-3, hi=10.0, doc="How little a robot that is held is believed to move."
    )
    correction_frequency: float = param(
        250.0, unit="Hz", lo=20.0, hi=1000.0, doc="Feet are looked at this often at most; the IMU at each sample."
    )

    def __post_init__(self) -> None:
        validate(self)
