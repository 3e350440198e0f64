import numpy as np
import torch

from stgmamba.music_to_skeleton.losses import beat, foot_contact, foot_velocities, reconstruction, velocity
from stgmamba.music_to_skeleton.representation import NODES, ROOT, encode
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton


def nodes(frames: int = 10) -> torch.Tensor:
    g = torch.Generator().manual_seed(0)
    return torch.randn(2, frames, 23, 3, generator=g)


def test_a_perfect_dance_costs_nothing() -> None:
    x = nodes()
    assert reconstruction(x, x) == 0
    assert velocity(x, x) == 0


def test_a_constant_offset_costs_reconstruction_but_no_velocity() -> None:
    x = nodes()
    assert reconstruction(x + 1, x) == 1.0
    torch.testing.assert_close(velocity(x + 1, x), torch.tensor(0.0), atol=1e-10, rtol=0)


def test_foot_velocities_of_a_body_that_turns_about_a_standing_foot_are_zero(sway: Skeleton) -> None:
    """The body circles its own left heel: that heel does not move in the room, so its velocity must be zero."""
    heel = OPENPOSE_18_FEET.index("left_heel")
    angle = 0.6 * np.arange(100) / 25.0
    p = sway.positions[:1].repeat(100, axis=0)
    p = p - p[:, heel : heel + 1] * np.float32([1, 0, 1])
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    turned = p.copy()
    turned[..., 0], turned[..., 2] = c * p[..., 0] + s * p[..., 2], -s * p[..., 0] + c * p[..., 2]
    encoded = torch.from_numpy(encode(Skeleton(turned.astype(np.float32), 25.0, OPENPOSE_18_FEET), 25.0))[None]
    speeds = foot_velocities(encoded, 25.0)[0].norm(dim=-1)[5:-5]  # left heel, left toe, right heel, right toe
    assert speeds[:, 0].max() < 0.03
    assert speeds[:, 2].min() > 0.08


def test_contact_loss_counts_only_feet_that_stand() -> None:
    real = torch.zeros(1, 5, 23, 3)
    sliding = real.clone()
    sliding[:, :, ROOT, 1] = 1.0  # the whole body glides forward at 1 m/s
    torch.testing.assert_close(foot_contact(sliding, real, 25.0), torch.tensor(1.0))
    torch.testing.assert_close(foot_contact(real, sliding, 25.0), torch.tensor(0.0))
    lifted = sliding.clone()
    lifted[:, :, NODES[0]] += 1.0  # what other joints do does not matter
    torch.testing.assert_close(foot_contact(lifted, real, 25.0), torch.tensor(1.0))


def test_beat_loss_counts_what_feet_do_on_the_beat() -> None:
    real = torch.zeros(1, 9, 23, 3)
    cosine = torch.cos(torch.arange(9) / 8 * 2 * torch.pi)[None]  # on the beat in the first and the last frame
    known = torch.ones(1)
    on, between = real.clone(), real.clone()
    on[:, :1, ROOT, 1] = 1.0  # glides at 1 m/s
    between[:, 4:5, ROOT, 1] = 1.0
    losses = [float(beat(each, real, cosine, known, 25.0)) for each in (real, on, between)]
    assert losses[0] == 0
    assert losses[1] > 100 * losses[2] > 0
    assert float(beat(on, real, cosine, torch.zeros(1), 25.0)) == 0
