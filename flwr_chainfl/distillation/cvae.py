"""Conditional variational autoencoders: inputs like a participant's own, drawn from a decoder that it sends."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load, save
from torch import Tensor, nn

from flwr_chainfl.distillation.distill import adam, best_device, device_of
from flwr_chainfl.errors import ConfigError, ModelError, PublicSetError, ReportError
from flwr_chainfl.labels.histogram import label_distribution

MAX_DECODER_BYTES = 32 * 2**20
"""Longer packed decoders are refused before they are read."""

_CHANNELS = (32, 32, 64, 64)
_HIDDEN = 256
_CLASS_SCALE = 8.0
_SMALLEST_SIDE = 8
_MOST_VALUES = 2**22
_MOST_LATENT = 1024
_DECODE_BATCH = 256
_TRUNCATION = 2.0


class Decoder(nn.Module):
    """Turn a latent vector and a class into the logits of an input.

    shape: of an input, (channels, height, width) or (features,)
    classes: from 2 to 255; latent: size of the latent vector, from 1 to 1024

    Raises ModelError when a dimension is out of range.
    Source: docs/protocols/soft-label.md, "Public set"; Heinbaugh, Luz-Ricca, Shao, FedCVAE, ICLR 2023.
    Choice: as many of the four layers as halve the shorter side to about 2; images are decoded to a multiple of
    2^layers and cropped. Flat inputs have two hidden layers of 256.
    Choice: the one-hot class is 8 instead of 1, and weights start with He's variance. Otherwise the latent vector
    takes the class over: it is the longer input, and torch's start for transposed convolutions shrinks both. Then
    few samples show the class that they were asked for (Fashion-MNIST, 600 samples a participant, batches of 64:
    45 % as against 91 %).
    """

    def __init__(self, shape: Sequence[int], *, classes: int, latent: int) -> None:
        super().__init__()
        self.shape, self.classes, self.latent = tuple(shape), classes, latent
        _check_dimensions(self.shape, classes, latent)
        if len(self.shape) == 1:
            self.layers = nn.Sequential(
                nn.Linear(latent + classes, _HIDDEN), nn.ReLU(),
                nn.Linear(_HIDDEN, _HIDDEN), nn.ReLU(),
                nn.Linear(_HIDDEN, self.shape[0]),
            )
            _start(self.layers)
            return
        channels = _channels(self.shape)
        rows, columns = _bottom(self.shape)
        layers: list[nn.Module] = [
            nn.Linear(latent + classes, channels[-1] * rows * columns),
            nn.ReLU(),
            nn.Unflatten(1, (channels[-1], rows, columns)),
        ]
        for before, after in zip(channels[::-1], channels[-2::-1], strict=False):
            layers += [nn.ConvTranspose2d(before, after, 4, stride=2, padding=1), nn.ReLU()]
        layers.append(nn.ConvTranspose2d(channels[0], self.shape[0], 4, stride=2, padding=1))
        self.layers = nn.Sequential(*layers)
        _start(self.layers)

    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        """Return logits, float (batch, *shape); latent: float (batch, latent), labels: int64 (batch,)."""
        logits: Tensor = self.layers(_join(latent, labels, self.classes))
        return logits if len(self.shape) == 1 else logits[:, :, : self.shape[1], : self.shape[2]]


class ConditionalVAE(nn.Module):
    """Learn to generate inputs of a given class.

    shape: of an input, (channels, height, width) with sides of at least 8, or (features,); values from 0 to 1
    classes: from 2 to 255; latent: size of the latent vector, from 1 to 1024

    Raises ModelError when a dimension is out of range.
    Source: docs/protocols/soft-label.md, "Public set"; Heinbaugh, Luz-Ricca, Shao, FedCVAE, ICLR 2023;
    Sohn, Lee, Yan, NeurIPS 2015.
    Choice: the encoder takes the class beside the features of the last convolution, not as further channels of the
    input, so that its cost does not grow with the classes.
    """

    def __init__(self, shape: Sequence[int], *, classes: int, latent: int = 10) -> None:
        super().__init__()
        self.decoder = Decoder(shape, classes=classes, latent=latent)
        shape = self.decoder.shape
        if len(shape) == 1:
            self.features = nn.Sequential(nn.Linear(shape[0], _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, _HIDDEN), nn.ReLU())
            width = _HIDDEN
        else:
            channels = _channels(shape)
            rows, columns = _bottom(shape)
            factor = 2 ** len(channels)
            layers: list[nn.Module] = [nn.ZeroPad2d((0, columns * factor - shape[2], 0, rows * factor - shape[1]))]
            for before, after in zip((shape[0], *channels), channels, strict=False):
                layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.ReLU()]
            self.features = nn.Sequential(*layers, nn.Flatten())
            width = channels[-1] * rows * columns
        self.posterior = nn.Linear(width + classes, 2 * latent)
        _start(nn.Sequential(*self.features, self.posterior))

    def forward(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the logits of the reconstruction, and mean and logarithm of the variance of the posterior."""
        posterior = self.posterior(_join(self.features(inputs), labels, self.decoder.classes))
        mean, log_variance = posterior.chunk(2, dim=1)
        latent = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        return self.decoder(latent, labels), mean, log_variance

    def loss(self, inputs: Tensor, labels: Tensor, *, beta: float = 1.0) -> Tensor:
        """Return binary cross-entropy summed over values + beta · KL(posterior ‖ N(0, 1)), averaged over the batch."""
        logits, mean, log_variance = self(inputs, labels)
        reconstruction = nn.functional.binary_cross_entropy_with_logits(logits, inputs, reduction="sum")
        divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()
        loss: Tensor = (reconstruction + beta * divergence) / len(inputs)
        return loss


def train_cvae(
    inputs: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    classes: int,
    latent: int = 10,
    epochs: int = 15,
    learning_rate: float = 1e-3,
    batch_size: int = 32,
    beta: float = 1.0,
    on_epoch: Callable[[int, float], None] | None = None,
) -> ConditionalVAE:
    """Train a conditional VAE on a participant's samples, with Adam.

    Seed it with `seed_torch`. It runs on the GPU where there is one. One sample and missing classes are enough to train.
    What the decoder gives for a class that it never saw means nothing; `generate_public_set` asks for one only where
    noise on the histogram makes its count positive. Of a class with few samples, it may give nearly those samples.

    inputs: float32 (samples, channels, height, width) or (samples, features), from 0 to 1; labels: int64 (samples,)
    on_epoch: called after each epoch with its number, from 1, and its mean loss (nats a sample)

    Raises ModelError when inputs are not from 0 to 1 or do not fit labels, classes or the architecture, ConfigError
    when epochs, learning rate, batch size or beta is out of range.
    Source: docs/protocols/soft-label.md, "Public set".
    Choice: batches of 32, so that a participant with a few hundred samples takes enough steps.
    """
    if min(epochs, batch_size) < 1 or learning_rate <= 0 or beta < 0:
        raise ConfigError(
            f"a CVAE with epochs {epochs}, batch_size {batch_size}, learning_rate {learning_rate}, beta {beta}; epochs and "
            f"batch_size must be at least 1, learning_rate above 0, beta at least 0"
        )
    _check_samples(inputs, labels, classes)
    model = ConditionalVAE(inputs.shape[1:], classes=classes, latent=latent).to(best_device())
    device = device_of(model)
    x = torch.from_numpy(np.ascontiguousarray(inputs, dtype=np.float32)).to(device)
    y = torch.from_numpy(np.ascontiguousarray(labels, dtype=np.int64)).to(device)
    optimizer = adam(model, learning_rate=learning_rate)
    for epoch in range(1, epochs + 1):
        loss_sum = 0.0
        for batch in torch.split(torch.randperm(len(x)), batch_size):
            optimizer.zero_grad()
            loss = model.loss(x[batch], y[batch], beta=beta)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            loss_sum += float(loss.detach()) * len(batch)
        if on_epoch is not None:
            on_epoch(epoch, loss_sum / len(x))
    return model.cpu()


def _check_dimensions(shape: tuple[int, ...], classes: int, latent: int) -> None:
    if len(shape) not in (1, 3) or min(shape) < 1 or math.prod(shape) > _MOST_VALUES:
        raise ModelError(
            f"inputs of shape {shape} cannot be generated; (channels, height, width) or (features,) with at most "
            f"{_MOST_VALUES} values is needed"
        )
    if len(shape) == 3 and min(shape[1:]) < _SMALLEST_SIDE:
        raise ModelError(
            f"images of {shape[1]}x{shape[2]} are too small; sides must be at least {_SMALLEST_SIDE}: pad them, or "
            f"pass them as flat vectors"
        )
    if not 2 <= classes <= 255:
        raise ModelError(f"{classes} classes; between 2 and 255 are possible")
    if not 1 <= latent <= _MOST_LATENT:
        raise ModelError(f"a latent vector of size {latent}; between 1 and {_MOST_LATENT} are possible, 10 is usual")


def _check_samples(inputs: NDArray[np.float32], labels: NDArray[np.int64], classes: int) -> None:
    if inputs.size == 0 or labels.shape != (len(inputs),) or labels.dtype.kind not in "iu":
        raise ModelError(
            f"inputs of shape {inputs.shape} with {labels.dtype} labels of shape {labels.shape}; at least one input, and an "
            f"integer label for each, are needed"
        )
    low, high = float(inputs.min()), float(inputs.max())
    if not (low >= 0 and high <= 1):
        raise ModelError(f"inputs range from {low:.4g} to {high:.4g}; scale them to [0, 1] before training a CVAE")
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise ModelError(
            f"labels range from {int(labels.min())} to {int(labels.max())}; they must be from 0 to {classes - 1}"
        )


def _join(values: Tensor, labels: Tensor, classes: int) -> Tensor:
    one_hot = nn.functional.one_hot(labels, classes).to(values.dtype)
    return torch.cat([values, _CLASS_SCALE * one_hot], dim=1)


def _start(layers: nn.Sequential) -> None:
    """Draw weights that keep the variance of what passes through, before any training."""
    modules: list[nn.Module] = list(layers)
    for layer, following in zip(modules, [*modules[1:], None], strict=True):
        if isinstance(layer, nn.ConvTranspose2d):
            # Of the 4x4 kernel, stride 2 lets 2x2 reach each value.
            fan_in = layer.in_channels * 4
        elif isinstance(layer, nn.Conv2d | nn.Linear):
            fan_in = layer.weight[0].numel()
        else:
            continue
        nn.init.normal_(layer.weight, std=math.sqrt((2 if isinstance(following, nn.ReLU) else 1) / fan_in))
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


def _channels(shape: tuple[int, ...]) -> tuple[int, ...]:
    depth = min(max(round(math.log2(min(shape[1:]) / 2)), 1), len(_CHANNELS))
    return _CHANNELS[-depth:]


def _bottom(shape: tuple[int, ...]) -> tuple[int, int]:
    factor = 2 ** len(_channels(shape))
    return math.ceil(shape[1] / factor), math.ceil(shape[2] / factor)


def pack_decoder(model: ConditionalVAE | Decoder, *, half: bool = True) -> bytes:
    """Return a decoder with its dimensions as safetensors bytes.

    half: float16 weights, else float32; for 28x28 and 10 classes, 242,314 bytes against 483,724

    Raises ModelError when a weight is not finite in that precision.
    Choice: float16 by default. On Fashion-MNIST 1 % of the values drawn differ from float32's, by 1 of 255.
    """
    decoder = model.decoder if isinstance(model, ConditionalVAE) else model
    weights = {}
    for name, value in decoder.state_dict().items():
        with np.errstate(over="ignore"):
            weights[name] = value.detach().cpu().numpy().astype(np.float16 if half else np.float32)
        if not np.isfinite(weights[name]).all():
            raise ModelError(f"decoder weight {name!r} is not finite; train with a lower learning rate")
    dimensions = np.array([decoder.classes, decoder.latent, *decoder.shape], dtype=np.int64)
    return bytes(save({**weights, "dimensions": dimensions}))


def unpack_decoder(data: bytes) -> Decoder:
    """Return the decoder of `pack_decoder`'s bytes, ready to generate.

    Raises ReportError when they are too many, no safetensors, or hold dimensions out of range, or weights that are
    missing, of another shape, type or name, or not finite.
    """
    if len(data) > MAX_DECODER_BYTES:
        raise ReportError(
            f"a decoder of {len(data)} bytes; at most {MAX_DECODER_BYTES} are read: use a smaller latent vector, or float16"
        )
    try:
        arrays = load(data)
    except Exception as error:  # safetensors raises a type of its own Rust module
        raise ReportError(f"{len(data)} bytes are no safetensors ({error}); send the decoder again") from error
    dimensions = arrays.pop("dimensions", np.zeros(0))
    if dimensions.dtype != np.int64 or dimensions.shape not in ((3,), (5,)):
        raise ReportError(
            f"a decoder whose dimensions are {dimensions.dtype} of shape {dimensions.shape}; int64 (3,) or (5,) is needed: "
            f"classes, latent, input shape"
        )
    classes, latent, *shape = (int(x) for x in dimensions)
    try:
        # The meta device has shapes but no memory: dimensions that a stranger sent allocate nothing.
        with torch.device("meta"):
            decoder = Decoder(shape, classes=classes, latent=latent)
    except ModelError as error:
        raise ReportError(f"a decoder that cannot be built: {error}") from error
    expected = {name: tuple(value.shape) for name, value in decoder.state_dict().items()}
    if arrays.keys() != expected.keys():
        raise ReportError(
            f"a decoder with the weights {sorted(arrays)}; {sorted(expected)} are needed for inputs of shape {tuple(shape)}"
        )
    for name, value in arrays.items():
        if value.shape != expected[name] or value.dtype not in (np.float16, np.float32):
            raise ReportError(
                f"decoder weight {name!r} is {value.dtype} of shape {value.shape}; float16 or float32 of shape "
                f"{expected[name]} is needed"
            )
        if not np.isfinite(value).all():
            raise ReportError(f"decoder weight {name!r} is not finite; train with a lower learning rate")
    state = {name: torch.from_numpy(value.astype(np.float32)) for name, value in arrays.items()}
    decoder.load_state_dict(state, assign=True)
    return decoder.requires_grad_(False).eval()


class Drawn(NamedTuple):
    """Inputs drawn from decoders.

    inputs: uint8 (count, *shape), 0 to 255 for values from 0 to 1; labels: uint8 (count,), the classes drawn; owners: int64
    (count,), whose decoder each came from, by its place among them
    """

    inputs: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    owners: NDArray[np.int64]


def generate_public_set(
    decoders: Sequence[Decoder],
    histograms: NDArray[np.integer] | NDArray[np.floating],
    *,
    count: int,
    seed: int,
) -> Drawn:
    """Draw inputs from the participants' decoders, in the proportions of their samples.

    The class y of an input is drawn from the sum of the histograms, its decoder with probability proportional to
    that participant's count of y, so never one without samples of it.

    decoders: one a participant; histograms: numbers (participants, classes), finite and not negative
    count: at least 1; seed: 0 or more, of any size
    Raises PublicSetError when nothing can be drawn, or decoders and histograms do not fit each other.
    Source: docs/protocols/soft-label.md, "Public set"; Heinbaugh, Luz-Ricca, Shao, FedCVAE, ICLR 2023.
    Choice: latent values from a normal truncated to ±2; all numbers are numpy's, so torch's state neither decides
    nor changes; decoded in float64, so that the order of a sum does not decide how a value is rounded.
    """
    shares = label_distribution(histograms)
    _check_decoders(decoders, histograms.shape)
    if count < 1 or seed < 0:
        raise PublicSetError(f"{count} inputs with seed {seed}; at least 1 input and a seed of 0 or more are needed")
    generator = np.random.default_rng(seed)
    labels = generator.choice(len(shares), size=count, p=shares).astype(np.uint8)
    owners = np.empty(count, dtype=np.int64)
    for label in np.unique(labels):
        chosen = labels == label
        counts = histograms[:, label].astype(np.float64)
        owners[chosen] = generator.choice(len(decoders), size=int(chosen.sum()), p=counts / counts.sum())
    inputs = np.empty((count, *decoders[0].shape), dtype=np.uint8)
    for owner in np.unique(owners):
        rows = np.flatnonzero(owners == owner)
        latent = _truncated_normal(generator, (len(rows), decoders[owner].latent))
        inputs[rows] = _decode(decoders[owner], latent, labels[rows].astype(np.int64))
    return Drawn(inputs, labels, owners)


def _check_decoders(decoders: Sequence[Decoder], shape: tuple[int, ...]) -> None:
    if len(decoders) != shape[0]:
        raise PublicSetError(f"{len(decoders)} decoders and {shape[0]} histograms; pass one of each a participant")
    for index, decoder in enumerate(decoders):
        if (decoder.classes, decoder.shape) != (shape[1], decoders[0].shape):
            raise PublicSetError(
                f"decoder {index} is for {decoder.classes} classes and inputs of shape {decoder.shape}; {shape[1]} "
                f"classes, as in the histograms, and shape {decoders[0].shape}, as of decoder 0, are needed: leave it out"
            )


def _truncated_normal(generator: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    values = generator.standard_normal(shape)
    while (outside := np.abs(values) > _TRUNCATION).any():
        values[outside] = generator.standard_normal(int(outside.sum()))
    return values


def _decode(decoder: Decoder, latent: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.uint8]:
    exact = deepcopy(decoder).cpu().double()
    parts = []
    with torch.no_grad():
        for start in range(0, len(latent), _DECODE_BATCH):
            rows = slice(start, start + _DECODE_BATCH)
            values = torch.sigmoid(exact(torch.from_numpy(latent[rows]), torch.from_numpy(labels[rows])))
            parts.append((values * 255).round().to(torch.uint8).numpy())
    return np.concatenate(parts)
