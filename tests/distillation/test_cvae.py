import math

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from flwr_chainfl.distillation import (
    ConditionalVAE,
    Decoder,
    generate_public_set,
    pack_decoder,
    seed_torch,
    train_cvae,
    unpack_decoder,
)
from flwr_chainfl.distillation.cvae import MAX_DECODER_BYTES, _truncated_normal
from flwr_chainfl.errors import ConfigError, ModelError, PublicSetError, ReportError
from flwr_chainfl.labels import class_histogram

CLASSES = 10
OWNED = ([0, 1, 2], [3, 4, 5], [6, 7, 8, 9])
SHAPE = (1, 8, 8)


def digits():
    inputs, labels = load_digits(return_X_y=True)
    return (inputs / 16).astype(np.float32).reshape(-1, *SHAPE), labels.astype(np.int64)


def samples(shape, count=2, classes=3):
    generator = np.random.default_rng(0)
    return generator.random((count, *shape), dtype=np.float32), generator.integers(classes, size=count)


def constant_decoder(logit, *, shape=SHAPE, classes=3, latent=2):
    """Return a decoder whose every value is sigmoid(logit), whatever it is asked for."""
    decoder = Decoder(shape, classes=classes, latent=latent)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.zero_()
        decoder.layers[-1].bias.fill_(logit)
    return decoder


def tampered(**changes):
    arrays = load(pack_decoder(Decoder(SHAPE, classes=3, latent=2)))
    arrays.update(changes)
    return save({name: value for name, value in arrays.items() if value is not None})


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Batches this small wait for a second thread longer than they compute, most of all on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def federation(_one_thread):
    """Three participants with disjoint classes: their decoders as they arrive, and their histograms."""
    inputs, labels = digits()
    decoders, histograms = [], []
    for own in OWNED:
        rows = np.isin(labels, own)
        seed_torch(0)
        model = train_cvae(inputs[rows], labels[rows], classes=CLASSES, epochs=4)
        decoders.append(unpack_decoder(pack_decoder(model)))
        histograms.append(class_histogram(labels[rows], CLASSES))
    return decoders, np.array(histograms)


def test_what_decoders_draw_teaches_a_classifier_real_digits(federation):
    generated, drawn, _ = generate_public_set(*federation, count=600, seed=0)
    classifier = LogisticRegression(max_iter=200).fit(generated.reshape(600, -1) / 255, drawn)
    inputs, labels = digits()
    assert classifier.score(inputs.reshape(len(inputs), -1), labels) > 0.8


def test_one_seed_draws_one_set_whatever_torch_does(federation):
    torch.manual_seed(1)
    inputs, labels, _ = generate_public_set(*federation, count=300, seed=2**200)
    state = torch.manual_seed(2).get_state()
    again, labels_again, _ = generate_public_set(*federation, count=300, seed=2**200)
    assert (inputs.dtype, inputs.shape, labels.dtype) == (np.uint8, (300, *SHAPE), np.uint8)
    assert (inputs == again).all()
    assert (labels == labels_again).all()
    assert (torch.get_rng_state() == state).all()
    assert (inputs != generate_public_set(*federation, count=300, seed=2**200 + 1)[0]).any()


def test_a_flat_vae_draws_digits_as_well():
    inputs, labels = digits()
    flat = inputs.reshape(len(inputs), -1)
    seed_torch(0)
    decoder = train_cvae(flat, labels, classes=CLASSES, epochs=4).decoder
    generated, drawn, _ = generate_public_set([decoder], class_histogram(labels, CLASSES)[None], count=600, seed=0)
    assert generated.shape == (600, 64)
    classifier = LogisticRegression(max_iter=200).fit(generated / 255, drawn)
    assert classifier.score(flat, labels) > 0.8


def test_classes_and_decoders_are_drawn_in_proportion_to_the_counts():
    decoders = [constant_decoder(-100.0), constant_decoder(100.0)]
    inputs, labels, owners = generate_public_set(decoders, np.array([[30, 0, 30], [0, 30, 10]]), count=2000, seed=0)
    bright = inputs.reshape(2000, -1).max(axis=1)
    np.testing.assert_array_equal(owners, bright == 255)
    assert set(bright[labels == 0]) == {0}
    assert set(bright[labels == 1]) == {255}
    assert set(bright[labels == 2]) == {0, 255}
    # Four standard deviations of a binomial share.
    assert (labels == 2).mean() == pytest.approx(0.4, abs=4 * math.sqrt(0.4 * 0.6 / 2000))
    assert (bright[labels == 2] == 255).mean() == pytest.approx(0.25, abs=4 * math.sqrt(0.25 * 0.75 / 800))


def test_a_value_between_two_bytes_goes_to_the_nearer_one():
    logit = math.log(100.6 / (255 - 100.6))
    inputs, _, _ = generate_public_set([constant_decoder(logit)], np.ones((1, 3)), count=1, seed=0)
    assert (inputs == 101).all()


def test_the_latent_normal_is_cut_at_two():
    values = _truncated_normal(np.random.default_rng(0), (100_000,))
    assert np.abs(values).max() <= 2
    # The standard deviation of a normal cut at two.
    assert values.std() == pytest.approx(0.8796, abs=0.01)
    assert values.mean() == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(
    ("decoders", "histograms", "message"),
    [
        ([constant_decoder(0.0)], np.zeros((1, 3)), "all histograms are 0"),
        ([constant_decoder(0.0)], np.ones((2, 3)), "1 decoders and 2 histograms"),
        ([constant_decoder(0.0)], np.ones((1, 4)), "decoder 0 is for 3 classes.*4 classes"),
        ([constant_decoder(0.0), constant_decoder(0.0, shape=(1, 9, 9))], np.ones((2, 3)), r"decoder 1.*\(1, 9, 9\)"),
    ],
)
def test_decoders_and_histograms_that_do_not_fit_are_refused(decoders, histograms, message):
    with pytest.raises(PublicSetError, match=message):
        generate_public_set(decoders, histograms, count=5, seed=0)


@pytest.mark.parametrize(("count", "seed"), [(0, 0), (1, -1)])
def test_no_inputs_and_negative_seeds_are_refused(count, seed):
    with pytest.raises(PublicSetError, match=f"{count} inputs with seed {seed}"):
        generate_public_set([constant_decoder(0.0)], np.ones((1, 3)), count=count, seed=seed)


@pytest.mark.parametrize("shape", [SHAPE, (3, 8, 21), (2, 13, 9), (1, 28, 28), (3, 32, 32), (1, 65, 40), (5,), (1,)])
@pytest.mark.parametrize("count", [1, 3])
def test_any_shape_and_a_single_sample_can_be_learnt(shape, count):
    seed_torch(0)
    model = train_cvae(*samples(shape, count), classes=3, latent=4, epochs=1, batch_size=2)
    logits = model.decoder(torch.zeros(2, 4), torch.tensor([0, 2]))
    assert logits.shape == (2, *shape)
    assert torch.isfinite(logits).all()
    assert (logits[0] != logits[1]).any()


@pytest.mark.parametrize(("side", "layers"), [(8, 2), (16, 3), (28, 4), (32, 4), (64, 4)])
def test_the_depth_follows_the_side(side, layers):
    decoder = Decoder((1, side, side), classes=3, latent=2)
    assert sum(isinstance(layer, torch.nn.ConvTranspose2d) for layer in decoder.layers) == layers


@pytest.mark.parametrize("shape", [SHAPE, (1, 28, 28), (64,)])
def test_a_fresh_network_neither_drowns_nor_blows_up_the_latent_vector(shape):
    seed_torch(0)
    model = ConditionalVAE(shape, classes=10, latent=10)
    with torch.no_grad():
        logits, mean, _ = model(torch.rand(200, *shape), torch.arange(200) % 10)
        same_class = model.decoder(torch.randn(200, 10), torch.zeros(200, dtype=torch.int64))
    assert 0.2 < same_class.std(dim=0).mean() < 5
    assert 0.5 < logits.std(dim=0).mean() < 10
    assert mean.abs().mean() < 2


def test_the_loss_of_a_known_posterior_is_that_by_hand():
    inputs, labels = samples(SHAPE)
    model = ConditionalVAE(SHAPE, classes=3, latent=4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.posterior.bias[:4] = 1.0
        model.posterior.bias[4:] = math.log(4)
    loss = float(model.loss(torch.from_numpy(inputs), torch.from_numpy(labels), beta=3.0).detach())
    divergence = 4 * 0.5 * (4 + 1 - 1 - math.log(4))
    assert loss == pytest.approx(64 * math.log(2) + 3 * divergence, rel=1e-5)


def test_progress_is_told_by_epoch_with_a_falling_loss():
    inputs, labels = digits()
    told = []
    seed_torch(0)
    train_cvae(inputs[:200], labels[:200], classes=CLASSES, epochs=4, on_epoch=lambda *args: told.append(args))
    assert [epoch for epoch, _ in told] == [1, 2, 3, 4]
    losses = [loss for _, loss in told]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.8 * losses[0]


def test_one_torch_seed_trains_one_decoder():
    packed = []
    for seed in (3, 3, 4):
        seed_torch(seed)
        packed.append(pack_decoder(train_cvae(*samples(SHAPE, 8), classes=3, epochs=2)))
    assert packed[0] == packed[1] != packed[2]


@pytest.mark.parametrize("values", [(-0.5, 1.0), (0.0, 255.0), (0.0, math.nan)])
def test_inputs_outside_0_to_1_are_an_error_with_their_range(values):
    inputs, labels = samples(SHAPE)
    inputs[0, 0, 0, :2] = values
    with pytest.raises(ModelError, match=r"inputs range from .* to .*; scale them to \[0, 1\]"):
        train_cvae(inputs, labels, classes=3)


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (np.zeros((0, 1, 8, 8)), np.zeros(0, np.int64), r"\(0, 1, 8, 8\)"),
        (np.zeros((2, 1, 8, 8)), np.zeros(3, np.int64), r"labels of shape \(3,\)"),
        (np.zeros((2, 1, 8, 8)), np.zeros(2), "float64 labels"),
        (np.zeros((2, 1, 8, 8)), np.array([0, 3]), "from 0 to 3; they must be from 0 to 2"),
        (np.zeros((2, 1, 8, 7)), np.array([0, 2]), "8x7 are too small; sides must be at least 8"),
        (np.zeros((2, 8, 8)), np.array([0, 2]), r"shape \(8, 8\) cannot be generated"),
    ],
)
def test_samples_that_cannot_be_learnt_are_named(inputs, labels, message):
    with pytest.raises(ModelError, match=message):
        train_cvae(inputs.astype(np.float32), labels, classes=3)


@pytest.mark.parametrize("setting", [{"epochs": 0}, {"batch_size": 0}, {"learning_rate": 0.0}, {"beta": -1.0}])
def test_a_setting_out_of_range_is_named(setting):
    (name, value), *_ = setting.items()
    with pytest.raises(ConfigError, match=f"{name} {value}"):
        train_cvae(*samples(SHAPE), classes=3, **setting)


def test_unpacking_allocates_no_fresh_weights():
    data = pack_decoder(constant_decoder(0.0))
    state = torch.manual_seed(0).get_state()
    unpack_decoder(data)
    assert (torch.get_rng_state() == state).all()


@pytest.mark.parametrize("half", [True, False])
@pytest.mark.parametrize("shape", [SHAPE, (7,)])
def test_a_decoder_survives_the_journey(shape, half):
    seed_torch(0)
    model = ConditionalVAE(shape, classes=3, latent=4)
    arrived = unpack_decoder(pack_decoder(model, half=half))
    assert (arrived.shape, arrived.classes, arrived.latent) == (shape, 3, 4)
    latent, labels = torch.randn(5, 4), torch.tensor([0, 1, 2, 0, 1])
    with torch.no_grad():
        difference = (arrived(latent, labels) - model.decoder(latent, labels)).abs().max()
    assert difference < 0.05 if half else difference == 0
    assert pack_decoder(arrived, half=half) == pack_decoder(model, half=half)


def test_only_the_decoder_travels_in_the_size_that_is_documented():
    model = ConditionalVAE((1, 28, 28), classes=10, latent=10)
    assert (len(pack_decoder(model)), len(pack_decoder(model, half=False))) == (242_314, 483_724)
    assert set(load(pack_decoder(model))) == {*model.decoder.state_dict(), "dimensions"}


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e6])
def test_a_weight_that_float16_cannot_hold_is_not_sent(value):
    with pytest.raises(ModelError, match=r"'layers.*bias' is not finite"):
        pack_decoder(constant_decoder(value))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes are no safetensors"),
        (b"\xff" * 100, "100 bytes are no safetensors"),
        (tampered()[:-1], "no safetensors"),
        (bytes(MAX_DECODER_BYTES + 1), f"at most {MAX_DECODER_BYTES} are read"),
        (tampered(dimensions=None), "dimensions are float64"),
        (tampered(dimensions=np.ones(4, np.int64)), r"int64 of shape \(4,\)"),
        (tampered(dimensions=np.array([3, 2, 1, 2**40, 2**40])), "cannot be built.*at most"),
        (tampered(dimensions=np.array([3, 2**40, 1, 8, 8])), "cannot be built.*latent vector"),
        (tampered(dimensions=np.array([3, 2, 1, 4, 8])), "cannot be built.*too small"),
        (tampered(dimensions=np.array([3, 2, 1, -8, 8])), "cannot be built"),
        (tampered(dimensions=np.array([300, 2, 1, 8, 8])), "cannot be built: 300 classes"),
        (tampered(dimensions=np.array([3, 1024, 4, 1024, 1024])), "with the weights .* are needed"),
        (tampered(extra=np.zeros(1, np.float32)), "with the weights .*'extra'"),
        (tampered(**{"layers.0.bias": None}), "with the weights"),
        (tampered(**{"layers.0.bias": np.zeros(3, np.float32)}), r"'layers.0.bias' is float32 of shape \(3,\)"),
        (tampered(**{"layers.0.bias": np.zeros(256, np.int8)}), "'layers.0.bias' is int8"),
        (tampered(**{"layers.0.bias": np.full(256, np.nan, np.float32)}), "'layers.0.bias' is not finite"),
    ],
)
def test_bytes_that_are_no_decoder_are_refused_with_the_reason(data, message):
    with pytest.raises(ReportError, match=message):
        unpack_decoder(data)
