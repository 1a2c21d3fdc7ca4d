"""Gaussian processes, one a target, fitted together: losses as functions of embedded points.

The kernel is Matérn 5/2 with a length a knob. Every length has the prior of Hvarfner et al. 2024
("Vanilla Bayesian Optimization Performs Great in High Dimensions"), which grows with the square
root of the number of knobs: few trials then suffice in spaces of forty knobs.

Shapes: M targets, N points that were seen, C candidates, D knobs, E columns of an embedding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Hyper", "Process", "condition", "fit"]

NUM_STEPS = 40
LENGTH_SPREAD = math.sqrt(3.0)
NOISE = (-7.0, 2.0)  # mean and spread of the logarithm of the noise's variance
SCALE = (0.0, 0.7)  # of the logarithm of the signal's variance
MIN_NOISE = 1e-6


@dataclass(frozen=True, slots=True)
class Hyper:
    """log_weight_MD: -2 log(length) of each knob; log_scale_M and log_noise_M: variances."""

    log_weight_MD: Tensor
    log_scale_M: Tensor
    log_noise_M: Tensor


@dataclass(frozen=True, slots=True)
class Process:
    """A posterior: `hyper`, the points it is conditioned on, and what follows from them."""

    hyper: Hyper
    column_knob_E: Tensor
    rows_NE: Tensor
    target_MN: Tensor
    chol_MNN: Tensor
    solved_MN: Tensor

    def __call__(self, rows_CE: Tensor) -> tuple[Tensor, Tensor]:
        """mean_MC and std_MC of the noiseless targets."""
        cov_MCN = _kernel(
            self.hyper, _sqdist(self.hyper, self.column_knob_E, rows_CE, self.rows_NE)
        )
        mean_MC = torch.einsum("mcn,mn->mc", cov_MCN, self.solved_MN)
        half_MNC = torch.linalg.solve_triangular(self.chol_MNN, cov_MCN.mT, upper=False)
        var_MC = self.hyper.log_scale_M.exp()[:, None] - half_MNC.square().sum(1)
        return mean_MC, var_MC.clamp_min(1e-12).sqrt()

    def given(self, rows_RE: Tensor, target_MR: Tensor) -> Process:
        """The posterior after more points."""
        return condition(
            self.hyper,
            torch.cat([self.rows_NE, rows_RE]),
            self.column_knob_E,
            torch.cat([self.target_MN, target_MR], dim=1),
        )


def fit(rows_NE: Tensor, column_knob_E: Tensor, target_MN: Tensor) -> Hyper:
    """The hyperparameters of greatest posterior probability, from the prior's middle on.

    Targets are standardized.
    The ascent is Rprop (Riedmiller and Braun 1993): every parameter has a step of its own.
    """
    num_knobs = int(column_knob_E.max()) + 1
    num_targets, num_points = target_MN.shape
    by_knob_DNN = torch.zeros(num_knobs, num_points, num_points, dtype=torch.float64)
    for column, knob in enumerate(column_knob_E.tolist()):
        value_N = rows_NE[:, column]
        by_knob_DNN[knob] += (value_N[:, None] - value_N[None, :]).square()
    by_knob_Df = by_knob_DNN.reshape(num_knobs, -1)
    log_length = math.sqrt(2.0) + math.log(num_knobs) / 2
    mean_P = torch.tensor([-2 * log_length] * num_knobs + [SCALE[0], NOISE[0]])
    spread_P = torch.tensor([2 * LENGTH_SPREAD] * num_knobs + [SCALE[1], NOISE[1]])
    mean_P, spread_P = mean_P.double(), spread_P.double()
    start_P = mean_P.clone()
    start_P[:num_knobs] = -2 * (math.log(0.5) + math.log(num_knobs) / 2)
    theta_MP = start_P.repeat(num_targets, 1)
    step_MP = torch.full_like(theta_MP, 0.3)
    last_MP = torch.zeros_like(theta_MP)
    eye_NN = torch.eye(num_points, dtype=torch.float64)
    for _ in range(NUM_STEPS):
        weight_MD = theta_MP[:, :num_knobs].exp()
        scale_M, noise_M = theta_MP[:, -2].exp(), theta_MP[:, -1].exp() + MIN_NOISE
        root_MNN = (5 * (weight_MD @ by_knob_Df).reshape(-1, num_points, num_points)).sqrt()
        decay_MNN = torch.exp(-root_MNN) * scale_M[:, None, None]
        signal_MNN = decay_MNN * (1 + root_MNN + root_MNN.square() / 3)
        cov_MNN = signal_MNN + noise_M[:, None, None] * eye_NN
        chol_MNN = torch.linalg.cholesky(cov_MNN)
        inverse_MNN = torch.cholesky_inverse(chol_MNN)
        solved_MN = (inverse_MNN @ target_MN[:, :, None]).squeeze(-1)
        outer_MNN = 0.5 * (solved_MN[:, :, None] * solved_MN[:, None, :] - inverse_MNN)
        slope_MNN = outer_MNN * decay_MNN * (1 + root_MNN) * (-5 / 6)
        gradient_MP = torch.cat(
            [
                (slope_MNN.reshape(num_targets, -1) @ by_knob_Df.T) * weight_MD,
                (outer_MNN * signal_MNN).sum((1, 2))[:, None],
                (outer_MNN * eye_NN).sum((1, 2))[:, None] * (noise_M - MIN_NOISE)[:, None],
            ],
            dim=1,
        )
        gradient_MP -= (theta_MP - mean_P) / spread_P.square()
        turn_MP = gradient_MP.sign() * last_MP
        step_MP = (step_MP * torch.where(turn_MP > 0, 1.3, 1.0)) * torch.where(
            turn_MP < 0, 0.4, 1.0
        )
        step_MP = step_MP.clamp(1e-3, 1.0)
        last_MP = torch.where(turn_MP < 0, 0.0, gradient_MP.sign())
        theta_MP = theta_MP + last_MP * step_MP
        theta_MP = torch.minimum(
            torch.maximum(theta_MP, mean_P - 4 * spread_P), mean_P + 4 * spread_P
        )
    return Hyper(theta_MP[:, :num_knobs], theta_MP[:, -2], theta_MP[:, -1])


def condition(hyper: Hyper, rows_NE: Tensor, column_knob_E: Tensor, target_MN: Tensor) -> Process:
    """The posterior after these points."""
    cov_MNN = _kernel(hyper, _sqdist(hyper, column_knob_E, rows_NE, rows_NE))
    noise_MN = (hyper.log_noise_M.exp() + MIN_NOISE)[:, None].expand_as(target_MN)
    chol_MNN = torch.linalg.cholesky(cov_MNN + torch.diag_embed(noise_MN))
    solved_MN = torch.cholesky_solve(target_MN[:, :, None], chol_MNN).squeeze(-1)
    return Process(hyper, column_knob_E, rows_NE, target_MN, chol_MNN, solved_MN)


def _sqdist(hyper: Hyper, column_knob_E: Tensor, rows_AE: Tensor, rows_BE: Tensor) -> Tensor:
    """sqdist_MAB, each knob by its weight."""
    root_ME = (0.5 * hyper.log_weight_MD[:, column_knob_E]).exp()
    a_MAE, b_MBE = rows_AE * root_ME[:, None, :], rows_BE * root_ME[:, None, :]
    norm_MA, norm_MB = a_MAE.square().sum(-1), b_MBE.square().sum(-1)
    cross_MAB = a_MAE @ b_MBE.mT
    return (norm_MA[:, :, None] + norm_MB[:, None, :] - 2 * cross_MAB).clamp_min(0.0)


def _kernel(hyper: Hyper, sqdist_MAB: Tensor) -> Tensor:
    root_MAB = (5 * sqdist_MAB).sqrt()
    polynomial_MAB = 1 + root_MAB + root_MAB.square() / 3
    return polynomial_MAB * torch.exp(-root_MAB) * hyper.log_scale_M.exp()[:, None, None]
