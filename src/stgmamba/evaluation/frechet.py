"""Fréchet distance between two sets of samples, used by FID, FVD, PFD and VFD."""

from __future__ import annotations

import numpy as np

from stgmamba.arrays import DoubleArray


def frechet_distance(a: DoubleArray, b: DoubleArray) -> float:
    """Squared Fréchet distance between the Gaussians fitted to two sets of samples.

    |mean_a - mean_b|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2), with covariances A and B (Dowson, Landau 1982; as in the
    FID of Heusel et al., NeurIPS 2017). The cross term is computed as the nuclear norm of A^1/2 B^1/2, which allows
    singular covariances: fewer samples than dimensions, constant dimensions, a single sample.

    Args:
        a: [N, D] samples, N >= 1.
        b: [M, D] samples, M >= 1.

    Returns:
        >= 0, in squared units of the samples; NaN where a sample is not finite.

    Raises:
        ValueError: the shapes do not match, or a set is empty.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or not len(a) or not len(b):
        raise ValueError(f"two non-empty sets of samples [N, D] with equal D are needed, got {a.shape} and {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("nan")
    cov_a, cov_b = _covariance(a), _covariance(b)
    cross = np.linalg.svd(_root(cov_a) @ _root(cov_b), compute_uv=False).sum()
    shift = ((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum()
    return float(max(shift + np.trace(cov_a) + np.trace(cov_b) - 2.0 * cross, 0.0))


def _covariance(samples: DoubleArray) -> DoubleArray:
    centred = samples - samples.mean(axis=0)
    covariance: DoubleArray = centred.T @ centred / max(len(samples) - 1, 1)
    return covariance


def _root(covariance: DoubleArray) -> DoubleArray:
    """Square root of a positive semidefinite matrix; negative eigenvalues, from rounding, are set to 0."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T, np.float64)
