import itertools

import pytest
import torch
from torch.nn.functional import silu

from stgmamba.music_to_skeleton.model import Config, MusicToSkeleton, SelectiveSSM, STGMBlock
from stgmamba.music_to_skeleton.representation import GRAPH
from stgmamba.ssm import selective_scan_reference

SMALL = Config(channels=16, inner=32, states=2, blocks=2, music_channels=16)
J = len(GRAPH)


def inputs(frames: int = 12) -> tuple[torch.Tensor, ...]:
    g = torch.Generator().manual_seed(0)
    return (
        torch.randn(2, frames, J, 3, generator=g),
        torch.tensor([0.2, 0.7]),
        torch.randn(2, -(-frames // SMALL.frames_per_music_frame), SMALL.music_channels, generator=g),
        torch.tensor([0, len(SMALL.styles)]),
        torch.tensor([0, 1]),
    )


def awake(model: torch.nn.Module) -> torch.nn.Module:
    """Blocks and head start at zero; give every zero parameter some value so that all paths carry signal."""
    g = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if not parameter.detach().any():
            parameter.data.copy_(0.3 * torch.randn(parameter.shape, generator=g))
    return model.eval()


@pytest.mark.parametrize("mixer", ["ssm", "attention"])
def test_shapes_and_gradients_reach_every_parameter(mixer: str) -> None:
    torch.manual_seed(0)
    model = awake(MusicToSkeleton(Config(**{**vars(SMALL), "mixer": mixer}))).train()
    x, t, _, style, source = inputs()
    hidden = model.encode_audio(torch.randn(2, 6, 2205), torch.randn(2, 6, 4))
    out = model(x, t, hidden, style, source)
    assert out.shape == x.shape
    out.square().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("frames", [1, 4, 10, 13])
def test_patches_keep_every_frame(frames: int) -> None:
    config = Config(**{**vars(SMALL), "patch": 4})
    torch.manual_seed(0)
    model = awake(MusicToSkeleton(config))
    x, t, hidden, style, source = inputs(frames)
    out = model(x, t, hidden, style, source)
    assert out.shape == x.shape
    # What comes after the last whole patch is filled up with the last frame.
    longer = torch.cat([x, x[:, -1:].expand(-1, 3, -1, -1)], dim=1)
    music = torch.cat([hidden, hidden[:, -1:].expand(-1, 2, -1)], dim=1)
    filled = model(longer[:, : -(-frames // 4) * 4], t, music[:, : -(-frames // 4) * 2], style, source)
    torch.testing.assert_close(out, filled[:, :frames])
    # Each frame of a patch speaks for itself: changing one changes the answer.
    changed = x.clone()
    changed[:, -1] += 1
    assert (model(changed, t, hidden, style, source)[:, -1] - out[:, -1]).abs().max() > 1e-3


def test_a_mirrored_dance_is_a_class_of_its_own() -> None:
    torch.manual_seed(0)
    model = awake(MusicToSkeleton(SMALL))
    x, t, hidden, style, source = inputs()
    assert SMALL.classes == 2 * (len(SMALL.styles) + 1)
    mirrored = style + SMALL.classes // 2
    assert not torch.allclose(model(x, t, hidden, style, source), model(x, t, hidden, mirrored, source), atol=1e-4)


@pytest.mark.parametrize("off", ["spatial", "temporal_forward", "temporal_backward"])
def test_each_branch_can_be_switched_off_and_matters(off: str) -> None:
    full, less = SMALL, Config(**{**vars(SMALL), off: False})
    torch.manual_seed(0)
    model = awake(MusicToSkeleton(full))
    ablated = MusicToSkeleton(less).eval()
    ablated.load_state_dict(model.state_dict(), strict=False)
    assert not torch.allclose(model(*inputs()), ablated(*inputs()), atol=1e-4)
    assert sum(p.numel() for p in ablated.parameters()) < sum(p.numel() for p in model.parameters())


def reach(config: Config) -> torch.Tensor:
    """How much each (frame, node) of a block's output moves when frame 10, node 5 of its input does, [T, J]."""
    torch.manual_seed(0)
    block = awake(STGMBlock(config))
    condition = torch.zeros(1, config.channels)
    z = torch.randn(1, 20, J, config.channels)
    changed = z.clone()
    changed[0, 10, 5] += torch.randn(config.channels)
    return (block(changed, condition, z[:, :, 0]) - block(z, condition, z[:, :, 0]))[0].abs().sum(-1)


@pytest.mark.parametrize("mixer", ["ssm", "attention"])
def test_the_branches_carry_signals_where_the_paper_says(mixer: str) -> None:
    only = {"spatial": False, "temporal_forward": False, "temporal_backward": False, "mixer": mixer}
    spatial = reach(Config(**{**vars(SMALL), **only, "spatial": True}))
    forward = reach(Config(**{**vars(SMALL), **only, "temporal_forward": True}))
    backward = reach(Config(**{**vars(SMALL), **only, "temporal_backward": True}))
    # GraphConv1d reaches one frame to either side; beyond that only the temporal scans do, each in its direction.
    assert spatial[:9].sum() == 0
    assert spatial[12:].sum() == 0
    assert (spatial[10] > 0).all()  # every joint of the frame
    assert forward[:9].sum() == 0
    assert (forward[12:].sum(1) > 0).all()
    assert backward[12:].sum() == 0
    assert (backward[:9].sum(1) > 0).all()


def scan_sequence(ssm: SelectiveSSM, x: torch.Tensor, directions: tuple[bool, ...]) -> torch.Tensor:
    """S6 of one sequence x [L, E], its scans in the given directions (True: backward) added up."""
    dt, B, C = ssm.x_proj(x).split([ssm.rank, ssm.states, ssm.states], dim=-1)
    u, delta, B, C = (v.T[None] for v in (x, ssm.dt_proj(dt), B, C))
    scans = [
        selective_scan_reference(u, delta, -ssm.A_log.exp(), B, C, ssm.D, None, ssm.dt_bias, True, reverse)
        for reverse in directions
    ]
    return sum(scans)[0].T  # type: ignore[index,union-attr]


def stgm_of_the_paper(block: STGMBlock, config: Config, Z: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
    """The three equations of the paper's STGM block, token by token and sequence by sequence.

    Z'_l = GraphConv1d(MLP(LN(Z_{l-1})))
    gate = sigma(MLP(LN(Z_{l-1})))
    Z_l  = Z_{l-1} + MLP( LN(SG(sigma(Z'_l))) * gate + LN(TGF(sigma(Z'_l))) * gate + LN(TGB(sigma(Z'_l))) * gate )
    """
    frames, joints, E = Z.shape[1], Z.shape[2], config.inner
    out = torch.empty_like(Z)
    for b in range(len(Z)):
        scale, shift = block.modulation(condition[b]).chunk(2)
        hidden, gate = Z.new_zeros(frames, joints, E), Z.new_zeros(frames, joints, E)
        for t in range(frames):
            for j in range(joints):
                z = Z[b, t, j]
                normed = (z - z.mean()) / (z.var(unbiased=False) + 1e-5).sqrt() * (1 + scale) + shift
                hidden[t, j] = block.mlp_in(normed)
                gate[t, j] = silu(block.mlp_gate(normed))
        # GraphConv1d: over the neighbours of each joint, then over the frame before, the frame and the one after.
        graph = block.graph_conv
        neighbours = Z.new_zeros(frames, joints, E)
        for t in range(frames):
            for j in range(joints):
                for i in range(joints):
                    neighbours[t, j] += graph.adjacency[j, i] * graph.importance[j, i] * hidden[t, i]
        x = Z.new_zeros(frames, joints, E)
        for t in range(frames):
            for j in range(joints):
                total = graph.bias.clone()
                for tap in range(3):
                    if 0 <= t + tap - 1 < frames:
                        total = total + graph.time[tap] * neighbours[t + tap - 1, j]
                x[t, j] = silu(total)
        update = Z.new_zeros(frames, joints, E)
        for t in range(frames):  # SG: along the joints of a frame, in both directions
            if config.spatial:
                update[t] += block.norm_sg(scan_sequence(block.sg, x[t], (False, True))) * gate[t]
        for j in range(joints):  # TGF and TGB: along the frames of a joint
            if config.temporal_forward:
                update[:, j] += block.norm_tgf(scan_sequence(block.tgf, x[:, j], (False,))) * gate[:, j]
            if config.temporal_backward:
                update[:, j] += block.norm_tgb(scan_sequence(block.tgb, x[:, j], (True,))) * gate[:, j]
        out[b] = Z[b] + block.mlp_out(update)
    return out


@pytest.mark.parametrize(
    "branches", [branches for branches in itertools.product((True, False), repeat=3) if any(branches)]
)
def test_the_block_computes_the_equations_of_the_paper(branches: tuple[bool, bool, bool]) -> None:
    config = Config(6, 8, 2, 1, spatial=branches[0], temporal_forward=branches[1], temporal_backward=branches[2])
    torch.manual_seed(0)
    block = STGMBlock(config).double().eval()
    with torch.no_grad():
        for parameter in block.parameters():  # layer norms, graph and output projection start trivial
            parameter.add_(0.3 * torch.randn_like(parameter))
        Z = torch.randn(2, 5, J, config.channels, dtype=torch.float64)
        condition = torch.randn(2, config.channels, dtype=torch.float64)
        expected = stgm_of_the_paper(block, config, Z, condition)
        torch.testing.assert_close(block(Z, condition, Z[:, :, 0]), expected, atol=1e-12, rtol=1e-12)
        assert (expected - Z).abs().mean() > 0.1


def test_selective_ssm_is_the_recurrence_of_the_paper() -> None:
    torch.manual_seed(0)
    ssm = SelectiveSSM(8, 2, (False,))
    x = torch.randn(1, 6, 8)
    dt, B, C = ssm.x_proj(x[0]).split([ssm.rank, 2, 2], dim=-1)
    dt = torch.nn.functional.softplus(ssm.dt_proj(dt) + ssm.dt_bias)
    h, ys = torch.zeros(8, 2), []
    for t in range(6):
        h = torch.exp(dt[t][:, None] * -torch.exp(ssm.A_log)) * h + dt[t][:, None] * B[t] * x[0, t][:, None]
        ys.append(h @ C[t] + ssm.D * x[0, t])
    torch.testing.assert_close(ssm(x)[0], torch.stack(ys), atol=1e-5, rtol=1e-4)


def test_the_attention_twin_has_the_parameters_of_ours() -> None:
    ours, twin = (
        sum(p.numel() for p in MusicToSkeleton(Config(mixer=mixer)).parameters()) for mixer in ("ssm", "attention")
    )
    assert abs(twin / ours - 1) < 0.05


def test_unknown_mixers_and_networks_are_refused() -> None:
    with pytest.raises(ValueError, match="mixer"):
        Config(mixer="convolution")
    with pytest.raises(ValueError, match="network"):
        Config(network="gan")
    with pytest.raises(ValueError, match="patch"):
        Config(patch=0)
    with pytest.raises(ValueError, match=r"multiple of 12\.5"):
        Config(fps=30.0)
    with pytest.raises(ValueError, match="multiple"):
        Config(fps=25.0, patch=3)
    with pytest.raises(ValueError, match="ren2020"):
        Config(network="ren2020")
    with pytest.raises(ValueError, match="12 styles"):
        Config(temperatures=(1.0,))
    with pytest.raises(ValueError, match="style_sources"):
        Config(style_sources=("dreamt",) * 12)
    with pytest.raises(ValueError, match="music_inputs"):
        Config(music_inputs=("smell",) * 12)


def test_the_source_of_a_movement_is_a_condition() -> None:
    torch.manual_seed(0)
    model = awake(MusicToSkeleton(SMALL))
    x, t, hidden, style, source = inputs()
    assert not torch.allclose(model(x, t, hidden, style, source), model(x, t, hidden, style, 1 - source), atol=1e-4)


def test_music_modulates_the_scans_once_it_has_learnt_to() -> None:
    torch.manual_seed(0)
    model = awake(MusicToSkeleton(Config(**{**vars(SMALL), "music_modulation": True, "music_features": 6})))
    plain = MusicToSkeleton(Config(**{**vars(SMALL), "music_features": 6})).eval()
    plain.load_state_dict(model.state_dict(), strict=False)
    arguments = inputs()
    assert not torch.allclose(model(*arguments), plain(*arguments), atol=1e-4)
    for block in model.stgm:
        assert block.music_modulation is not None
        for parameter in block.music_modulation.parameters():
            parameter.data.zero_()
    torch.testing.assert_close(model(*arguments), plain(*arguments))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"mixer": "attention", "music_modulation": True}, "only the mixer ssm"),
        ({"music_features": 7}, "there are 6"),
        ({"music_features": 0}, "there are 6"),
    ],
)
def test_networks_that_cannot_be_are_refused(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Config(**{**vars(SMALL), **change})


def test_rhythm_features_beyond_those_of_the_network_do_not_matter() -> None:
    torch.manual_seed(0)
    model = MusicToSkeleton(SMALL).eval()
    wave, features = torch.randn(1, 6, 2205), torch.randn(1, 6, 6)
    changed = features.clone()
    changed[..., SMALL.music_features :] += 1
    assert torch.equal(model.encode_audio(wave, features), model.encode_audio(wave, changed))
