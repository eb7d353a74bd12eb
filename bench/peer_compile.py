"""What torch.compile needs to be of use to the peer (peer_torch.py).

PyTorch 2.15's compiler turns max_pool2d, max_unpool2d and their gradients into scalar loops: a
training step of the paper's MNIST net takes 1.4 times as long as uncompiled (one thread). Here they
are operators that it calls as they are, so that it fuses only what lies between: then it takes 0.98
times as long. Needs PyTorch 2.4."""

import torch
import torch.nn.functional as F

Pair = tuple[torch.Tensor, torch.Tensor]
plain = {}  # reference_model's unpool, which handles partial windows too


def define(name, call, fake=None):
    """An operator that the compiler does not look into."""
    operator = torch.library.custom_op("swwae::" + name, call, mutates_args=())
    operator.register_fake(fake or call)
    return operator


def pool_call(x: torch.Tensor, size: int) -> Pair:
    return F.max_pool2d(x, size, ceil_mode=True, return_indices=True)


def pool_back_call(dy: torch.Tensor, x: torch.Tensor, where: torch.Tensor,
                   size: int) -> torch.Tensor:
    return torch.ops.aten.max_pool2d_with_indices_backward(
        dy, x, [size, size], [size, size], [0, 0], [1, 1], True, where)


def unpool_call(what: torch.Tensor, where: torch.Tensor, size: int, height: int,
                width: int) -> torch.Tensor:
    return plain["unpool"](what, where, size, (height, width))


def unpool_back_call(dy: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    dx = dy.flatten(2).gather(2, where.flatten(2)).view(where.shape)
    return dx.contiguous(memory_format=torch.channels_last)


def pool_save(ctx, inputs, output):  # PyTorch passes them by these names
    ctx.save_for_backward(inputs[0], output[1])
    ctx.size = inputs[1]
    ctx.mark_non_differentiable(output[1])


def unpool_save(ctx, inputs, output):
    ctx.save_for_backward(inputs[1])


def install(reference_model):
    """Puts the operators in the place of reference_model's pool and unpool."""
    plain["unpool"] = reference_model.unpool
    pool, pool_back = define("pool", pool_call), define("pool_back", pool_back_call)
    unpool, unpool_back = define("unpool", unpool_call), define("unpool_back", unpool_back_call)

    def pool_backward(ctx, dy, _):
        x, where = ctx.saved_tensors
        return pool_back(dy.contiguous(memory_format=torch.channels_last), x, where,
                         ctx.size), None

    def unpool_backward(ctx, dy):
        return unpool_back(dy, ctx.saved_tensors[0]), None, None, None, None

    pool.register_autograd(pool_backward, setup_context=pool_save)
    unpool.register_autograd(unpool_backward, setup_context=unpool_save)
    reference_model.pool = lambda x, size: pool(x, size)
    reference_model.unpool = lambda what, where, size, shape: unpool(what, where, size, *shape)
