import numpy as np
import pytest
import torch

from mimic_policy.diffusion import Diffusion, DiffusionParams
from mimic_policy.networks.encoders import ResNet18, SpatialSoftmax
from mimic_policy.networks.params import NetworkParams
from mimic_policy.networks.policy import PolicyNetwork, View, view
from mimic_policy.networks.unet import ConditionalUnet

TINY = dict(channels=8, keypoints=8, feature=16, state_feature=16, widths=(16, 32), crop=4)


def _network(**changes):
    torch.manual_seed(0)
    return PolicyNetwork(
        NetworkParams(**{**TINY, **changes}), action=7, state=10, steps=2, wrist=True
    )


def _views(count=3, side=40):
    torch.manual_seed(1)
    return View(torch.randn(count, 2, 3, side, side))


def test_the_spatial_softmax_finds_where_a_map_is_strong():
    pool = SpatialSoftmax(1, 1)
    torch.nn.init.constant_(pool.maps.weight, 1.0)
    x = torch.zeros(1, 1, 9, 5)
    x[0, 0, 6, 1] = 50.0
    np.testing.assert_allclose(pool(x).detach().numpy(), [[4 / 9, -0.4]], atol=1e-4)
    shifted = pool(x, torch.tensor([[0.25, 0.0]])).detach().numpy()
    np.testing.assert_allclose(shifted, [[4 / 9 + 0.25, -0.4]], atol=1e-4)


def test_where_a_thing_is_does_not_depend_on_how_a_picture_is_cropped():
    pool = SpatialSoftmax(3, 1)
    torch.nn.init.constant_(pool.maps.weight, 1.0)
    torch.nn.init.constant_(pool.log_sharpness, 3.0)
    frames = torch.zeros(3, 1, 48, 40, 3, dtype=torch.uint8)
    frames[:, :, 30:34, 10:14] = 255
    cut = view(frames, 8, None, torch.tensor([[0, 0], [8, 3], [4, 4]]))
    found = pool(cut.pixels[:, 0], cut.shift).detach()
    np.testing.assert_allclose(found, [[(32 - 24) / 20, (12 - 20) / 16]] * 3, atol=1e-3)


def test_a_missing_view_is_a_token_that_learns_or_zeros():
    agent, state = _views(), torch.randn(3, 2, 10)
    network = _network()
    human = network.latent(agent, None, None)
    robot = network.latent(agent, agent, state)
    assert human.shape == robot.shape == (3, network.latent_size)
    np.testing.assert_array_equal(human[:, :16].detach(), robot[:, :16].detach())  # agent view
    human.sum().backward()
    assert network.no_wrist.grad.abs().sum() > 0
    assert network.no_state.grad.abs().sum() > 0
    zeros = _network(missing='zeros')
    latent = zeros.latent(agent, None, None)
    assert (latent.view(3, 2, -1)[:, :, 16:] == 0).all()
    assert not zeros.no_wrist.requires_grad


def test_dropped_states_are_the_missing_token():
    network, agent, state = _network(), _views(), torch.randn(3, 2, 10)
    some = network.latent(agent, agent, state, torch.tensor([True, False, True]))
    felt, without = network.latent(agent, agent, state), network.latent(agent, agent, None)
    np.testing.assert_allclose(some[[0, 2]].detach(), without[[0, 2]].detach())
    np.testing.assert_allclose(some[1].detach(), felt[1].detach())


def test_pictures_are_cropped_and_scaled():
    frames = torch.arange(2 * 1 * 6 * 8 * 3, dtype=torch.uint8).view(2, 1, 6, 8, 3)
    middle = view(frames, 2)
    assert middle.pixels.shape == (2, 1, 3, 4, 6)
    wanted = frames[1, 0, 1:5, 1:7, 2].float() / 127.5 - 1.0
    np.testing.assert_allclose(middle.pixels[1, 0, 2], wanted, atol=1e-6)
    corner = torch.tensor([[0, 2], [2, 0]])
    gain = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.5, 1.0]])
    cut = view(frames, 2, gain, corner)
    np.testing.assert_allclose(
        cut.pixels[1, 0, 1], frames[1, 0, 2:6, 0:6, 1].float() * 0.5 / 127.5 - 1.0, atol=1e-6
    )
    np.testing.assert_allclose(
        cut.pixels[0, 0, 0], frames[0, 0, 0:4, 2:8, 0].float() / 127.5 - 1.0, atol=1e-6
    )
    np.testing.assert_allclose(cut.shift, [[-2 / 4, 2 / 6], [2 / 4, -2 / 6]])
    assert middle.shift is None


@pytest.mark.parametrize('kernel', [3, 5])
@pytest.mark.parametrize('widths', [(8,), (16, 32), (8, 16, 24)])
def test_the_unet_takes_any_sizes_and_every_weight_gets_a_gradient(kernel, widths):
    torch.manual_seed(0)
    net = ConditionalUnet(7, 12, widths, kernel, 16)
    modulation = net.condition(torch.randn(2, 12)) + net.time(torch.tensor([0.0, 50.0]))
    out = net(torch.randn(2, 16, 7), modulation)
    assert out.shape == (2, 16, 7)
    out.square().mean().backward()
    assert [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_the_condition_and_the_time_matter():
    torch.manual_seed(0)
    net = ConditionalUnet(7, 12, (16, 32), 5, 16)
    x = torch.randn(1, 16, 7).expand(3, -1, -1)
    condition = torch.randn(3, 12)
    condition[2] = condition[0]
    out = net(x, net.condition(condition) + net.time(torch.tensor([5.0, 5.0, 60.0])))
    assert (out[0] - out[1]).abs().max() > 1e-3
    assert (out[0] - out[2]).abs().max() > 1e-3


def test_a_resnet_sees_pictures_of_any_size():
    torch.manual_seed(0)
    net = ResNet18(16, 4)
    assert sum(p.numel() for p in net.body.parameters()) == pytest.approx(11.17e6, rel=0.01)
    assert net(torch.randn(2, 3, 64, 96)).shape == (2, 16)


@pytest.mark.parametrize('schedule', ['squaredcos_cap_v2', 'linear'])
@pytest.mark.parametrize('steps', [2, 10, 100, 1000])
def test_at_the_end_of_the_noise_nothing_of_a_chunk_is_left(schedule, steps):
    """Inference begins with noise alone."""
    params = DiffusionParams(schedule=schedule, train_steps=steps, inference_steps=2)
    left = Diffusion(params).scheduler.alphas_cumprod
    assert 0.0 < left[-1].sqrt() < 0.05 and (left[1:] < left[:-1]).all()


@pytest.mark.parametrize('prediction', ['epsilon', 'sample', 'v_prediction'])
def test_denoising_ends_at_the_chunk_when_the_network_is_right(prediction):
    """A stand-in that knows the chunk, and what noise leads there, is led to it exactly."""
    diffusion = Diffusion(DiffusionParams(prediction=prediction))
    torch.manual_seed(0)
    chunk = torch.rand(1, 8, 3) * 1.6 - 0.8

    class Perfect:
        def __init__(self):
            self.unet = self

        def condition(self, latent):
            return latent

        def __call__(self, noised, part):
            time = part.long().view(-1)
            alpha = diffusion.scheduler.alphas_cumprod[time].view(1, 1, 1)
            noise = (noised - alpha.sqrt() * chunk) / (1 - alpha).sqrt()
            return diffusion.target(chunk, noise, time)

    parts = diffusion.timesteps.float().view(-1, 1)
    found = diffusion.denoise(Perfect(), torch.zeros(1, 1), torch.randn(1, 8, 3), parts)
    np.testing.assert_allclose(found, chunk, atol=2e-3)
