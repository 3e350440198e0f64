from __future__ import annotations

import pytest
import torch

from stgmamba.training.muon import Muon, orthogonalise


@pytest.mark.parametrize("shape", [(6, 6), (4, 12), (12, 4)])
def test_singular_values_become_nearly_equal_and_directions_remain(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(shape)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    result = orthogonalise(matrix[None])[0]
    values = torch.linalg.svdvals(result)
    assert values.min() > 0.6
    assert values.max() < 1.3
    in_basis = u.T @ result @ v.T
    assert (in_basis - torch.diag(in_basis.diagonal())).abs().max() < 1e-4


def test_it_agrees_with_torchs_own_but_for_its_precision() -> None:
    torch.manual_seed(0)
    start = torch.randn(8, 16)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    optimizers = (
        Muon([ours], 0.01, 0.1),
        torch.optim.Muon([theirs], 0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
    )
    for step in range(5):
        torch.manual_seed(step)
        ours.grad = torch.randn(8, 16)
        theirs.grad = ours.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    assert (ours - start).norm() > 0.1
    torch.testing.assert_close(ours.detach(), theirs.detach(), atol=3e-3, rtol=0)


def test_a_matrix_without_a_gradient_stays() -> None:
    matrix = torch.nn.Parameter(torch.ones(2, 2))
    Muon([matrix], 0.1, 0.1).step()
    torch.testing.assert_close(matrix.detach(), torch.ones(2, 2))
