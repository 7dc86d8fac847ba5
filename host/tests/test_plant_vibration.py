"""Vibration against theory: lines where the kinematics put them, with the right neighbours."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import signal
from test_plant_harness import (
    QUIET,
    at_speed,
    band_pass,
    envelope_spectrum,
    line,
    run,
    silent_machine,
)

from wrench.bench.plant import (
    ADXL345_SITE,
    BEARING_608,
    BEARING_6202,
    BEARING_6205,
    IIS3DWB_SITE,
    SCENARIOS,
    BearingGeometry,
    Drive,
    Plant,
    SensorSite,
)
from wrench.bench.plant.bearing import BearingParameters, DefectTrain, Strike, load_share
from wrench.bench.plant.vibration import (
    FloatArray,
    Mode,
    ModeBank,
    VibrationParameters,
)
from wrench.units import STANDARD_GRAVITY

RING_BAND = {ADXL345_SITE: (850.0, 1450.0), IIS3DWB_SITE: (3400.0, 5000.0)}
FEMTO = BearingGeometry(balls=13, ball_diameter_mm=3.5, pitch_diameter_mm=25.6)


@pytest.mark.parametrize(
    ("geometry", "bpfo", "bpfi", "bsf", "ftf"),
    [
        (BEARING_6205, 3.585, 5.415, 2.357, 0.3983),
        (FEMTO, 5.611, 7.389, 3.589, 0.4316),
        (BEARING_6202, 3.05, 4.95, 1.98, 0.381),
        (BEARING_608, 2.57, 4.43, 1.76, 0.368),
    ],
    ids=["6205 (CWRU)", "PRONOSTIA", "6202", "608"],
)
def test_orders_of_known_bearings(
    geometry: BearingGeometry, bpfo: float, bpfi: float, bsf: float, ftf: float
) -> None:
    assert geometry.bpfo == pytest.approx(bpfo, rel=2e-3)
    assert geometry.bpfi == pytest.approx(bpfi, rel=2e-3)
    assert geometry.bsf == pytest.approx(bsf, rel=6e-3)
    assert geometry.ftf == pytest.approx(ftf, rel=2e-3)
    assert geometry.bpfo + geometry.bpfi == pytest.approx(geometry.balls)


def test_load_zone_is_full_in_the_middle_and_empty_at_the_back() -> None:
    assert load_share(0.0, 0.42) == 1.0
    assert load_share(math.pi, 0.42) == 0.0
    assert 0.0 < load_share(0.8, 0.42) < 1.0
    edge = math.acos(1.0 - 2.0 * 0.42)
    assert load_share(edge + 1e-6, 0.42) == 0.0


# -- turning with the shaft ----------------------------------------------------------------------


def first_order(duty: float) -> tuple[float, FloatArray, FloatArray]:
    """Speed (rad/s) and the amplitudes at 1× and 2× per axis, in m/s², by least squares."""
    recorded = at_speed(silent_machine(), QUIET, 2.0, duty=duty)
    turns_per_s = recorded.mean_speed_hz()
    angle = 2.0 * np.pi * turns_per_s * np.arange(len(recorded.acceleration_g)) / recorded.rate_hz
    basis = np.column_stack(
        [f(order * angle) for order in (1, 2) for f in (np.cos, np.sin)] + [np.ones(len(angle))]
    )
    found = np.linalg.lstsq(basis, recorded.acceleration_g, rcond=None)[0] * STANDARD_GRAVITY
    amplitudes = np.hypot(found[0:4:2], found[1:4:2])
    return 2.0 * np.pi * turns_per_s, amplitudes[0], amplitudes[1]


def test_unbalance_grows_with_the_square_of_speed() -> None:
    slow, at_slow, _ = first_order(0.35)
    fast, at_fast, _ = first_order(0.95)
    p = VibrationParameters()
    natural = 2.0 * np.pi * p.modes[0].frequency_hz
    for speed, amplitude in ((slow, at_slow), (fast, at_fast)):
        rigid = 1e-6 * p.unbalance_g_mm / p.machine_mass_kg * speed**2
        expected = rigid / (1.0 - (speed / natural) ** 2)
        assert amplitude[:2] == pytest.approx([expected, expected], rel=0.01)
    assert fast > 2.5 * slow
    assert at_fast[0] / at_slow[0] == pytest.approx((fast / slow) ** 2, rel=0.05)


def test_misalignment_shows_at_twice_the_speed_and_along_the_shaft() -> None:
    speed, once, twice = first_order(0.7)
    p = VibrationParameters()
    natural = 2.0 * np.pi * p.modes[0].frequency_hz
    radial = 1e-6 * p.misalignment_radial_um * (2 * speed) ** 2 / (1 - (2 * speed / natural) ** 2)
    assert twice[0] == pytest.approx(radial, rel=0.02)
    assert once[2] == pytest.approx(1e-6 * p.misalignment_axial_um * speed**2, rel=0.03)


def test_nothing_moves_at_rest_but_gravity_stays() -> None:
    plant = Plant(silent_machine(), QUIET, 1)
    still = run(plant, 0.1, 0.0, enabled=False).acceleration_g
    assert still == pytest.approx(np.tile([0.0, 1.0, 0.0], (len(still), 1)), abs=1e-12)


def test_wear_makes_it_shake_and_slowing_down_calms_it() -> None:
    new = at_speed(silent_machine(), QUIET, 1.0).acceleration_g.std(axis=0)
    worn = at_speed(silent_machine(), replace(QUIET, wear=0.5), 1.0).acceleration_g.std(axis=0)
    slowed = at_speed(
        silent_machine(), replace(QUIET, wear=0.5), 1.0, duty=0.45
    ).acceleration_g.std(axis=0)
    assert np.all(worn > 3.0 * new)
    assert np.all(slowed < 0.7 * worn)


# -- strikes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("site", [ADXL345_SITE, IIS3DWB_SITE], ids=["adxl345", "iis3dwb"])
def test_outer_race_rings_at_bpfo(site: SensorSite) -> None:
    scenario = replace(QUIET, defect="outer", defect_severity=0.5)
    recorded = at_speed(silent_machine(), scenario, 4.0, site=site)
    speed = recorded.mean_speed_hz()
    frequency, amplitude = envelope_spectrum(
        recorded.acceleration_g[:, 1], recorded.rate_hz, RING_BAND[site]
    )
    expected = BEARING_608.bpfo * speed
    at, height = line(frequency, amplitude, expected, 0.025 * expected)
    assert height > 20.0
    assert at == pytest.approx(expected, rel=0.015)
    assert at < expected, "the cage slips: it comes later than the geometry says"
    # A spot that is always in the load zone is struck alike each time.
    _, beside = line(frequency, amplitude, at + speed, 2.0)
    assert beside < 0.3 * height


@pytest.mark.parametrize("site", [ADXL345_SITE, IIS3DWB_SITE], ids=["adxl345", "iis3dwb"])
def test_inner_race_rings_at_bpfi_with_sidebands_at_shaft_speed(site: SensorSite) -> None:
    scenario = replace(QUIET, defect="inner", defect_severity=0.5)
    recorded = at_speed(silent_machine(), scenario, 6.0, site=site)
    speed = recorded.mean_speed_hz()
    frequency, amplitude = envelope_spectrum(
        recorded.acceleration_g[:, 1], recorded.rate_hz, RING_BAND[site]
    )
    expected = BEARING_608.bpfi * speed
    at, height = line(frequency, amplitude, expected, 0.02 * expected)
    assert at == pytest.approx(expected, rel=0.015)
    assert height > 10.0
    for side in (at - speed, at + speed):
        found, above = line(frequency, amplitude, side, 2.5)
        assert found == pytest.approx(side, abs=1.5)
        assert above > 5.0
    # Between line and sideband there is nothing.
    _, between = line(frequency, amplitude, at + 0.5 * speed, 2.5)
    assert between < 0.5 * height
    _, turning = line(frequency, amplitude, speed, 2.0)
    assert turning > 10.0, "the load zone modulates at shaft speed"


@pytest.mark.parametrize("site", [ADXL345_SITE, IIS3DWB_SITE], ids=["adxl345", "iis3dwb"])
def test_ball_rings_at_twice_its_spin_with_sidebands_at_the_cage(site: SensorSite) -> None:
    scenario = replace(QUIET, defect="ball", defect_severity=0.5)
    recorded = at_speed(silent_machine(), scenario, 8.0, site=site)
    speed = recorded.mean_speed_hz()
    frequency, amplitude = envelope_spectrum(
        recorded.acceleration_g[:, 1], recorded.rate_hz, RING_BAND[site]
    )
    cage = BEARING_608.ftf * (1.0 - BearingParameters().cage_slip) * speed
    expected = 2.0 * BEARING_608.bsf * speed
    at, height = line(frequency, amplitude, expected, 0.02 * expected)
    assert at == pytest.approx(expected, rel=0.015)
    assert height > 8.0
    for side in (at - cage, at + cage):
        found, above = line(frequency, amplitude, side, 2.0)
        assert found == pytest.approx(side, abs=1.5)
        assert above > 4.0
    _, turning = line(frequency, amplitude, cage, 1.5)
    assert turning > 8.0, "the load zone modulates at the cage's speed"


def test_intervals_between_strikes_slip_by_about_one_per_cent() -> None:
    parameters = BearingParameters()
    train = DefectTrain(parameters, "outer", np.random.default_rng(3))
    times: list[float] = []
    for index in range(4000):
        # 30 turns a second, 5 ms a call.
        start = index * 5e-3
        path = [2.0 * math.pi * 30.0 * (start + x) for x in (0.0, 2.5e-3, 5e-3)]
        times.extend(start + s.time_s for s in train.advance([0.0, 2.5e-3, 5e-3], path))
    intervals = np.diff(times) * 30.0 * train.order
    assert np.mean(intervals) == pytest.approx(1.0, abs=2e-3)
    assert np.std(intervals) == pytest.approx(parameters.slip_jitter, rel=0.1)
    assert train.order == pytest.approx(BEARING_608.bpfo * (1.0 - parameters.cage_slip))


def test_strikes_grow_with_damage_load_and_speed() -> None:
    def ringing(severity: float, load: float, duty: float) -> float:
        scenario = replace(QUIET, defect_severity=severity, load_fraction=load)
        recorded = at_speed(silent_machine(), scenario, 1.0, duty=duty, site=IIS3DWB_SITE)
        ringing = band_pass(recorded.acceleration_g[:, 1], recorded.rate_hz, 3000.0, 6000.0)
        return float(np.max(np.abs(ringing)))

    base = ringing(0.4, 0.6, 0.6)
    assert ringing(0.6, 0.6, 0.6) > 1.5 * base
    assert ringing(0.4, 1.2, 0.6) > 1.1 * base
    assert ringing(0.4, 0.6, 0.9) > 1.3 * base


def impulse_response(
    mode: Mode, bandwidth_hz: float, order: int, times_s: FloatArray
) -> FloatArray:
    """Of s/(s² + 2ζω₀s + ω₀²) behind a Butterworth low-pass, by state space."""
    natural = 2.0 * math.pi * mode.frequency_hz
    zeros, poles, gain = signal.buttap(order)
    corner = 2.0 * math.pi * bandwidth_hz
    below = np.real(np.poly(np.asarray(poles) * corner))
    assert len(zeros) == 0
    numerator = np.array([float(gain) * corner**order, 0.0])
    denominator = np.polymul([1.0, 2.0 * mode.damping * natural, natural**2], below)
    return np.asarray(signal.impulse((numerator, denominator), T=times_s)[1])


@pytest.mark.parametrize("frequency_hz", [320.0, 1180.0, 4200.0])
def test_ringing_is_the_response_of_mode_and_filter(frequency_hz: float) -> None:
    mode = Mode(frequency_hz, 0.04, (1.0, 0.5, 0.0))
    bank = ModeBank([mode], 1600.0, 4)
    times = np.linspace(0.0, 0.02, 400, endpoint=False)
    ours = bank.render(times, [Strike(0.0, 2.0)], 0.02)
    assert ours is not None
    expected = impulse_response(mode, 1600.0, 4, times)
    assert ours[:, 0] == pytest.approx(2.0 * expected, abs=2e-4)
    assert ours[:, 1] == pytest.approx(0.5 * ours[:, 0])
    assert np.all(ours[:, 2] == 0.0)


def test_ringing_goes_on_across_steps_as_if_never_cut() -> None:
    modes = VibrationParameters().modes
    strikes = [Strike(0.00123, 1.0), Strike(0.0075, 0.7), Strike(0.01111, 1.3)]
    times = np.arange(64) / 3200.0
    whole = ModeBank(modes, 1600.0, 8).render(times, strikes, 0.02)
    assert whole is not None
    cut = ModeBank(modes, 1600.0, 8)
    pieces: list[FloatArray] = []
    for index in range(20):
        start, end = index * 1e-3, (index + 1) * 1e-3
        inside = times[(times >= start) & (times < end)] - start
        own = [Strike(s.time_s - start, s.strength) for s in strikes if start <= s.time_s < end]
        piece = cut.render(inside, own, 1e-3)
        pieces.append(np.zeros((len(inside), 3)) if piece is None else piece)
    assert np.concatenate(pieces) == pytest.approx(whole, abs=1e-10)


def test_a_mode_above_the_sensors_band_leaves_no_alias() -> None:
    mode = Mode(4200.0, 0.025, (1.0, 1.0, 1.0))
    strikes = [Strike(0.0011, 1.0)]
    wide = ModeBank([mode], 13000.0, 8).render(np.arange(1334) / 26667.0, strikes, 0.05)
    narrow = ModeBank([mode], 1600.0, 8).render(np.arange(160) / 3200.0, strikes, 0.05)
    unfiltered = ModeBank([mode], 1e6, 2).render(np.arange(160) / 3200.0, strikes, 0.05)
    assert wide is not None
    assert narrow is not None
    assert unfiltered is not None
    assert np.max(np.abs(wide)) > 0.8
    assert np.max(np.abs(unfiltered)) > 0.3, "without the filter the mode would fold down"
    # What is left is the quasi-static part of the response below 1,600 Hz, not the mode:
    settled = np.abs(narrow[40:])
    assert np.max(settled) < 1e-3


def test_a_strike_leaves_no_velocity_behind() -> None:
    bank = ModeBank([Mode(1180.0, 0.04, (1.0, 1.0, 1.0))], 1600.0, 8)
    times = np.arange(20000) / 200000.0
    ringing = bank.render(times, [Strike(0.0, 1.0)], 0.1)
    assert ringing is not None
    velocity = np.cumsum(ringing[:, 0]) / 200000.0
    assert abs(velocity[-1]) < 1e-3 * np.max(np.abs(velocity))


def test_the_bank_falls_silent() -> None:
    bank = ModeBank(VibrationParameters().modes, 1600.0, 8)
    assert bank.render(np.zeros(1), [Strike(0.0, 1.0)], 1.0) is not None
    assert bank.render(np.zeros(1), [], 1.0) is None


def test_a_knock_is_felt_once() -> None:
    plant = Plant(silent_machine(), QUIET, 1)
    plant.knock(5.0)
    felt = run(plant, 0.5, 0.0, enabled=False).acceleration_g
    assert np.max(np.abs(felt[:160, 1] - 1.0)) > 1.0
    assert np.max(np.abs(felt[-160:, 1] - 1.0)) < 1e-6


# -- noise ---------------------------------------------------------------------------------------


def flatness(signal_g: FloatArray, rate_hz: float, band_hz: tuple[float, float]) -> float:
    """Geometric over arithmetic mean of the power spectrum: 1 for white noise."""
    frequency, power = signal.welch(signal_g, rate_hz, nperseg=512)
    inside = power[(frequency > band_hz[0]) & (frequency < band_hz[1])]
    return float(np.exp(np.mean(np.log(inside))) / np.mean(inside))


def test_rub_is_broadband_and_ringing_is_not() -> None:
    plant = Plant(silent_machine(), QUIET, 1)
    plant.set_rub(0.035)
    run(plant, 1.0, 0.7, samples=0)
    rubbing = run(plant, 6.0, 0.7)
    spalled = at_speed(silent_machine(), replace(QUIET, defect_severity=0.5), 6.0)
    band = (200.0, 1500.0)
    assert flatness(rubbing.acceleration_g[:, 0], rubbing.rate_hz, band) > 0.9
    assert flatness(spalled.acceleration_g[:, 0], spalled.rate_hz, band) < 0.4


def test_rub_is_strongest_at_one_shaft_angle() -> None:
    plant = Plant(silent_machine(), QUIET, 1)
    plant.set_rub(0.035)
    run(plant, 1.0, 0.7, samples=0)
    strong: list[float] = []
    weak: list[float] = []
    times = np.array([0.0])
    for _ in range(4000):
        turns = plant.motor.angle_rad / (2.0 * math.pi) % 1.0
        felt = plant.step(Drive(0.7, True), 1e-3, times).acceleration_g[0, 0]
        if min(turns, 1.0 - turns) < 0.1:
            strong.append(felt)
        elif abs(turns - 0.5) < 0.1:
            weak.append(felt)
    assert np.std(strong) > 5.0 * np.std(weak)


def test_grinding_comes_and_goes() -> None:
    plant = Plant(silent_machine(), replace(SCENARIOS["grinding"], load_variation=0.0), 2)
    recorded = run(plant, 30.0, 0.7)
    loud = band_pass(recorded.acceleration_g[:, 0], recorded.rate_hz, 400.0, 1550.0)
    per_quarter = loud.reshape(-1, 800).std(axis=1)
    assert np.all(per_quarter[8:23] < 0.1), "quiet until it starts"
    present = per_quarter[8:] > 0.3
    assert 0.1 < present.mean() < 0.9
    assert np.count_nonzero(np.diff(present.astype(int))) >= 3
    current = np.array([r.motor_current_a for r in recorded.readings]).reshape(-1, 50).mean(axis=1)
    assert current[8:][present].mean() > current[8:][~present].mean() + 0.1


@pytest.mark.parametrize("site", [ADXL345_SITE, IIS3DWB_SITE], ids=["adxl345", "iis3dwb"])
def test_floor_has_the_stated_density_within_the_band(site: SensorSite) -> None:
    plant = Plant(replace(silent_machine(), vibration=VibrationParameters()), QUIET, 1, site)
    recorded = run(plant, 2.0, 0.0, enabled=False)
    frequency, power = signal.welch(recorded.acceleration_g[:, 0], recorded.rate_hz, nperseg=1024)
    inside = power[(frequency > 50.0) & (frequency < 0.6 * site.bandwidth_hz)]
    assert math.sqrt(inside.mean()) == pytest.approx(40e-6, rel=0.05)
    beyond = power[frequency > 1.8 * site.bandwidth_hz]
    if len(beyond):
        assert beyond.mean() < 0.02 * inside.mean()


@pytest.mark.parametrize(
    "arguments",
    [{"bandwidth_hz": 2000.0}, {"bandwidth_hz": 0.0}, {"filter_order": 3}, {"filter_order": 0}],
)
def test_a_site_that_cannot_be_is_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"sensor site|filter_order"):
        SensorSite(**arguments)  # pyright: ignore[reportArgumentType]


# -- sameness ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["demo", "grinding", "inner-race", "ball"])
def test_the_same_seed_gives_the_same_run(name: str) -> None:
    machine = replace(silent_machine(), vibration=VibrationParameters())
    first, again, other = (run(Plant(machine, SCENARIOS[name], s), 1.5, 0.7) for s in (7, 7, 8))
    assert np.array_equal(first.acceleration_g, again.acceleration_g)
    assert first.last.speed_rpm == again.last.speed_rpm
    assert first.last.wear == again.last.wear
    assert not np.array_equal(first.acceleration_g, other.acceleration_g)


@pytest.mark.parametrize("name", ["outer-race", "inner-race", "ball", "grinding"])
def test_vibration_does_not_depend_on_how_time_is_cut(name: str) -> None:
    machine = replace(silent_machine(), vibration=VibrationParameters())
    scenario = replace(SCENARIOS[name], load_variation=0.0)
    rub = scenario.rub
    if rub is not None:
        scenario = replace(scenario, rub=replace(rub, first_s=0.5, torque_nm=0.0))
    whole = run(Plant(machine, scenario, 4), 2.0, 0.7)
    plant = Plant(machine, scenario, 4)
    pieces: list[FloatArray] = []
    all_times = np.arange(16) / 3200.0
    for _ in range(400):
        for part in range(5):
            start = part * 1e-3
            inside = all_times[(all_times >= start - 1e-12) & (all_times < start + 1e-3 - 1e-12)]
            reading = plant.step(Drive(0.7, True), 1e-3, np.maximum(0.0, inside - start))
            pieces.append(reading.acceleration_g)
    cut = np.concatenate(pieces)
    assert cut.shape == whole.acceleration_g.shape
    assert np.max(np.abs(cut - whole.acceleration_g)) < 0.02 * np.max(np.abs(cut))
