"""Gaussian processes, one a target, fitted apart: losses as functions of embedded points.

The kernel is Matérn 5/2 with a length a knob. Every length has the prior of Hvarfner et al. 2024
("Vanilla Bayesian Optimization Performs Great in High Dimensions"), which grows with the square
root of the number of knobs: few trials then suffice in spaces of forty knobs.

Shapes: M targets, N points that were seen, C candidates, D knobs, E columns of an embedding,
P pairs of points, T parameters of a process: a weight a knob, its scale, its noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack

__all__ = ["Hyper", "Process", "condition", "fit"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

NUM_STEPS = 40
LENGTH_SPREAD = math.sqrt(3.0)
NOISE = (-7.0, 2.0)  # mean and spread of the logarithm of the noise's variance
SCALE = (0.0, 0.7)  # of the logarithm of the signal's variance
MIN_NOISE = 1e-6


@dataclass(frozen=True, slots=True)
class Hyper:
    """log_weight_MD: -2 log(length) of each knob; log_scale_M and log_noise_M: variances."""

    log_weight_MD: Floats
    log_scale_M: Floats
    log_noise_M: Floats


@dataclass(frozen=True, slots=True)
class Process:
    """A posterior: `hyper`, the points it is conditioned on, and what follows from them."""

    hyper: Hyper
    column_knob_E: Integers
    rows_NE: Floats
    target_MN: Floats
    chol_MNN: list[Floats]
    solved_MN: Floats

    def __call__(self, rows_CE: Floats) -> tuple[Floats, Floats]:
        """mean_MC and std_MC of the noiseless targets."""
        shape = len(self.target_MN), len(rows_CE)
        mean_MC, var_MC = np.empty(shape), np.empty(shape)
        for m, (chol_NN, solved_N) in enumerate(zip(self.chol_MNN, self.solved_MN, strict=True)):
            cov_CN = _covariance(self.hyper, m, self.column_knob_E, rows_CE, self.rows_NE)
            np.dot(cov_CN, solved_N, out=mean_MC[m])
            half_NC = _checked(lapack.dtrtrs(chol_NN, cov_CN.T, lower=1, overwrite_b=1))
            var_MC[m] = math.exp(self.hyper.log_scale_M[m])
            var_MC[m] -= np.einsum("nc,nc->c", half_NC, half_NC)
        return mean_MC, np.sqrt(np.maximum(var_MC, 1e-12))

    def given(self, rows_RE: Floats, target_MR: Floats) -> Process:
        """The posterior after more points."""
        return condition(
            self.hyper,
            np.vstack([self.rows_NE, rows_RE]),
            self.column_knob_E,
            np.hstack([self.target_MN, target_MR]),
        )


def fit(rows_NE: Floats, column_knob_E: Integers, target_MN: Floats) -> Hyper:
    """The hyperparameters of greatest posterior probability, from the prior's middle on.

    Targets are standardized.
    The ascent is Rprop (Riedmiller and Braun 1993): every parameter has a step of its own.
    """
    pairs = _pairs(rows_NE, column_knob_E)
    mean_T, spread_T, start_T = _prior(len(pairs.sqdist_DP))
    theta_MT = np.empty((len(target_MN), len(start_T)))
    for m, target_N in enumerate(target_MN):
        theta_MT[m] = _ascend(pairs, target_N, mean_T, spread_T, start_T)
    return Hyper(theta_MT[:, :-2], theta_MT[:, -2], theta_MT[:, -1])


def condition(hyper: Hyper, rows_NE: Floats, column_knob_E: Integers, target_MN: Floats) -> Process:
    """The posterior after these points."""
    chols, solved_MN = [], np.empty_like(target_MN)
    for m, target_N in enumerate(target_MN):
        cov_NN = _covariance(hyper, m, column_knob_E, rows_NE, rows_NE)
        cov_NN.flat[:: len(cov_NN) + 1] += math.exp(hyper.log_noise_M[m]) + MIN_NOISE
        # LAPACK counts by columns, and what is symmetric is its own transpose
        chol_NN = _checked(lapack.dpotrf(cov_NN.T, lower=1, overwrite_a=1))
        solved_MN[m] = _checked(lapack.dpotrs(chol_NN, target_N, lower=1))
        chols.append(chol_NN)
    return Process(hyper, column_knob_E, rows_NE, target_MN, chols, solved_MN)


class _Pairs(NamedTuple):
    """All pairs of different points: which two, and how far apart by each knob."""

    first_P: Integers
    second_P: Integers
    sqdist_DP: Floats


def _pairs(rows_NE: Floats, column_knob_E: Integers) -> _Pairs:
    first_P, second_P = np.tril_indices(len(rows_NE), -1)
    sqdist_DP = np.zeros((int(column_knob_E.max()) + 1, len(first_P)))
    for column, knob in enumerate(column_knob_E.tolist()):
        value_N = rows_NE[:, column]
        sqdist_DP[knob] += np.square(value_N[first_P] - value_N[second_P])
    return _Pairs(first_P, second_P, sqdist_DP)


def _prior(num_knobs: int) -> tuple[Floats, Floats, Floats]:
    """mean_T and spread_T of the parameters, and start_T, where the ascent begins."""
    log_length = math.sqrt(2.0) + math.log(num_knobs) / 2
    mean_T = np.array([-2 * log_length] * num_knobs + [SCALE[0], NOISE[0]])
    spread_T = np.array([2 * LENGTH_SPREAD] * num_knobs + [SCALE[1], NOISE[1]])
    start_T = mean_T.copy()
    start_T[:num_knobs] = -2 * (math.log(0.5) + math.log(num_knobs) / 2)
    return mean_T, spread_T, start_T


def _ascend(
    pairs: _Pairs, target_N: Floats, mean_T: Floats, spread_T: Floats, start_T: Floats
) -> Floats:
    """theta_T of one target."""
    theta_T, step_T, last_T = start_T, np.full_like(start_T, 0.3), np.zeros_like(start_T)
    for _ in range(NUM_STEPS):
        gradient_T = _likelihood_gradient(pairs, target_N, theta_T)
        gradient_T -= (theta_T - mean_T) / np.square(spread_T)
        turn_T = np.sign(gradient_T) * last_T
        step_T = step_T * np.where(turn_T > 0, 1.3, 1.0) * np.where(turn_T < 0, 0.4, 1.0)
        step_T = step_T.clip(1e-3, 1.0)
        last_T = np.where(turn_T < 0, 0.0, np.sign(gradient_T))
        theta_T = theta_T + last_T * step_T
        theta_T = theta_T.clip(mean_T - 4 * spread_T, mean_T + 4 * spread_T)
    return theta_T


def _likelihood_gradient(pairs: _Pairs, target_N: Floats, theta_T: Floats) -> Floats:
    """That of the logarithm of the marginal likelihood, by all parameters.

    Everything is symmetric, so pairs count twice and are computed once.
    """
    weight_D, scale, noise = np.exp(theta_T[:-2]), math.exp(theta_T[-2]), math.exp(theta_T[-1])
    root_P = weight_D @ pairs.sqdist_DP
    root_P *= 5
    np.sqrt(root_P, out=root_P)
    decay_P = np.exp(-root_P)
    decay_P *= scale
    signal_P = decay_P * _polynomial(root_P)
    cov_NN = np.empty((len(target_N),) * 2, order="F")
    cov_NN[pairs.first_P, pairs.second_P] = signal_P
    np.fill_diagonal(cov_NN, scale + noise + MIN_NOISE)
    chol_NN = _checked(lapack.dpotrf(cov_NN, lower=1, overwrite_a=1))
    solved_N = _checked(lapack.dpotrs(chol_NN, target_N, lower=1))
    inverse_NN = _checked(lapack.dpotri(chol_NN, lower=1, overwrite_c=1))
    outer_P = solved_N[pairs.first_P] * solved_N[pairs.second_P]
    outer_P -= inverse_NN[pairs.first_P, pairs.second_P]
    outer = 0.5 * float((np.square(solved_N) - inverse_NN.diagonal()).sum())
    by_scale = float(outer_P @ signal_P) + outer * scale
    root_P += 1
    decay_P *= root_P
    decay_P *= outer_P
    by_weight_D = (pairs.sqdist_DP @ decay_P) * weight_D * (-5 / 6)
    return np.array([*by_weight_D, by_scale, outer * noise])


def _covariance(
    hyper: Hyper, m: int, column_knob_E: Integers, rows_AE: Floats, rows_BE: Floats
) -> Floats:
    """cov_AB of the noiseless target m."""
    root_E = np.exp(0.5 * hyper.log_weight_MD[m, column_knob_E]) * math.sqrt(5)
    a_AE, b_BE = rows_AE * root_E, rows_BE * root_E
    root_AB = a_AE @ b_BE.T
    root_AB *= -2
    root_AB += np.square(a_AE).sum(axis=1)[:, None]
    root_AB += np.square(b_BE).sum(axis=1)
    np.maximum(root_AB, 0.0, out=root_AB)
    np.sqrt(root_AB, out=root_AB)
    cov_AB = _polynomial(root_AB)
    np.negative(root_AB, out=root_AB)
    np.exp(root_AB, out=root_AB)
    cov_AB *= root_AB
    cov_AB *= math.exp(hyper.log_scale_M[m])
    return cov_AB


def _polynomial(root: Floats) -> Floats:
    """1 + r + r²/3."""
    value: Floats = root / 3
    value += 1
    value *= root
    value += 1
    return value


def _checked(answer: tuple[Floats, int]) -> Floats:
    """What LAPACK has computed."""
    result, info = answer
    if info != 0:
        raise np.linalg.LinAlgError(f"LAPACK: the matrix is singular ({info})")
    return result
