"""Batch normalisation over the global batch: uneven slices, any device, full precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn.modules.batchnorm import _BatchNorm

Mode = Literal["synchronised", "local", "fixed"]

# Values that are worked on at a time: few enough to stay in the processor's cache. Sums over
# them are single, sums of those double precision.
_CHUNK = 1 << 17


def prepare(model: nn.Module, mode: Mode, world_size: int, device: torch.device) -> nn.Module:
    """`model` with the batch normalisation that `mode` asks for; parameters stay the same.

    Args:
        model: changed in place where possible.
        mode: 'synchronised' takes statistics over the batches of all processes, 'local' over each
            process's own; 'fixed' leaves them as they are (see `set_training`).
    """
    shared = mode == "synchronised" and world_size > 1
    if device.type == "cpu":
        return model if mode == "fixed" else _converted(model, shared)
    if shared:
        convert: Callable[[nn.Module], nn.Module] = nn.SyncBatchNorm.convert_sync_batchnorm
        return convert(model)
    return model


def set_training(model: nn.Module, mode: Mode) -> None:
    """Put `model` in training mode; under 'fixed', statistics stay and affine weights learn."""
    model.train()
    if mode == "fixed":
        for module in model.modules():
            if isinstance(module, _BatchNorm):
                module.eval()


class ExactBatchNorm(_BatchNorm):
    """Batch normalisation on a CPU, over the slices of all processes where they share a batch.

    Equal to `torch.nn.BatchNorm*d` on the concatenated slices, also when their sizes differ, which
    `torch.nn.SyncBatchNorm` does on CUDA only. A single process uses it too: torch's own CPU
    kernel adds up channels-last inputs in single precision, one value after the other, which
    loses four digits on a batch of ordinary size.

    Attributes:
        shared: whether the statistics cover all processes.

    Source: Ioffe & Szegedy, Batch Normalization, ICML 2015, arXiv 1502.03167.
    """

    shared = False

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalise `inputs` [n, c, ...] over every axis but c."""
        if not self.training and self.running_mean is not None:
            return nn.functional.batch_norm(
                inputs, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        mean, variance, count = _statistics(inputs.detach(), self.shared)
        if self.training and self.running_mean is not None:
            self._track(mean, variance, count)
        normalise: Callable[..., Tensor] = _Normalise.apply
        return normalise(
            inputs, self.weight, self.bias, mean, variance, count, self.eps, self.shared
        )

    def _track(self, mean: Tensor, variance: Tensor, count: int) -> None:
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        momentum = self.momentum
        if momentum is None:
            momentum = 1.0 / float(self.num_batches_tracked)
        unbiased = variance * (count / max(count - 1, 1))
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), momentum)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any rank is taken: one class stands for the 1d, 2d and 3d layers."""


class _Normalise(torch.autograd.Function):
    """Normalisation by the batch's own statistics, with their part in the gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        mean: Tensor,
        variance: Tensor,
        count: int,
        eps: float,
        shared: bool,
    ) -> Tensor:
        ctx.save_for_backward(inputs, weight, mean, torch.rsqrt(variance + eps))
        ctx.count, ctx.shared = count, shared
        return nn.functional.batch_norm(inputs, mean, variance, weight, bias, eps=eps)

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight, mean, inverse = ctx.saved_tensors  # type: ignore[attr-defined]
        (gradient,) = gradients
        axes, shape = _other_axes(inputs), _channel_shape(inputs)
        channels = inputs.shape[1]
        centre = mean.view(shape)
        sums = torch.zeros(2 * channels, dtype=torch.float64)
        for values, slopes in _chunks(inputs, gradient):
            steep = slopes.float()
            sums[:channels] += steep.sum(axes)
            sums[channels:] += (values.float() - centre).mul_(steep).sum(axes)
        own = sums.float()
        if ctx.shared:  # type: ignore[attr-defined]
            dist.all_reduce(sums)
        of_mean, of_scale = (sums / ctx.count).float().chunk(2)  # type: ignore[attr-defined]
        scale = inverse if weight is None else inverse * weight
        slope = (-scale * inverse.square() * of_scale).view(shape)
        offset = (scale * of_mean).view(shape)
        of_inputs = torch.empty_like(inputs)
        for target, values, slopes in _chunks(of_inputs, inputs, gradient):
            part = (values.float() - centre).mul_(slope).sub_(offset)
            target.copy_(part.addcmul_(slopes.float(), scale.view(shape)))
        if weight is None:
            return of_inputs, *[None] * 7
        return of_inputs, own[channels:] * inverse, own[:channels], *[None] * 5


def _statistics(inputs: Tensor, shared: bool) -> tuple[Tensor, Tensor, int]:
    """Mean [c], biased variance [c] and number of values, of this process or of all.

    Source: Chan, Golub & LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample
    Variances, 1979.
    """
    axes, shape = _other_axes(inputs), _channel_shape(inputs)
    channels = inputs.shape[1]
    own = torch.zeros(2 * channels + 1, dtype=torch.float64)
    count = inputs.numel() // channels
    own[-1] = count
    if count:
        for (values,) in _chunks(inputs):
            own[:channels] += values.float().sum(axes)
        own[:channels] /= count
        centre = own[:channels].float().view(shape)
        for (values,) in _chunks(inputs):
            own[channels:-1] += (values.float() - centre).square_().sum(axes)
    if not shared:
        return own[:channels].float(), (own[channels:-1] / max(count, 1)).float(), count
    everyone = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(everyone, own)
    table = torch.stack(everyone)
    means, spreads, counts = table[:, :channels], table[:, channels:-1], table[:, -1:]
    total = counts.sum()
    mean = (means * counts).sum(0) / total
    spread = (spreads + (means - mean).square() * counts).sum(0)
    return mean.float(), (spread / total).float(), int(total)


def _chunks(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The tensors, equally shaped, a few samples at a time.

    Intermediate results of the whole size would be fetched from the operating system page by page
    each time, at several times the cost of the arithmetic.
    """
    samples = max(1, _CHUNK * len(tensors[0]) // max(tensors[0].numel(), 1))
    return zip(*(torch.split(each, samples) for each in tensors), strict=True)


def _converted(module: nn.Module, shared: bool) -> nn.Module:
    """`module` with each batch normalisation replaced; parameters and buffers are kept."""
    if isinstance(module, _BatchNorm) and not isinstance(module, ExactBatchNorm):
        exact = ExactBatchNorm(
            module.num_features,
            module.eps,
            module.momentum,
            module.affine,
            module.track_running_stats,
        )
        exact.shared = shared
        exact.weight, exact.bias = module.weight, module.bias
        exact.running_mean, exact.running_var = module.running_mean, module.running_var
        exact.num_batches_tracked = module.num_batches_tracked
        exact.training = module.training
        return exact
    for name, child in module.named_children():
        setattr(module, name, _converted(child, shared))
    return module


def _other_axes(inputs: Tensor) -> list[int]:
    return [axis for axis in range(inputs.dim()) if axis != 1]


def _channel_shape(inputs: Tensor) -> list[int]:
    return [-1 if axis == 1 else 1 for axis in range(inputs.dim())]
