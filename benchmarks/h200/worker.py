"""The process that loads the GPU: the built-in kernels of `goodwatt calibrate` and applications in plain torch.

Speaks what `goodwatt.cli.gpu_kernels` speaks. The decoder is 7B-like (32 layers, 4096 wide) with random weights.
"""

from __future__ import annotations

from typing import Any

from goodwatt.cli.gpu_kernels import BUILDERS, Runner, Work

LAYERS, WIDTH, HEADS, INNER, WORDS = 32, 4096, 32, 11008, 32000
_decoders = list[Any]()


def resnet50_train(torch: Any) -> Work:
    """Batch 128, bf16 autocast, channels last, SGD."""
    from torchvision.models import resnet50

    network = resnet50().cuda().to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9)
    images = torch.randn(128, 3, 224, 224, device="cuda").to(memory_format=torch.channels_last)
    labels = torch.randint(0, 1000, (128,), device="cuda")

    def step() -> None:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = torch.nn.functional.cross_entropy(network(images), labels)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    return step


def decode(torch: Any) -> Work:
    """One token for each of 16 sequences with 1,024 tokens of cache."""
    layers = _decoder(torch)
    cache = [torch.randn(2, 16, HEADS, 1024, WIDTH // HEADS, device="cuda", dtype=torch.bfloat16) for _ in layers]
    hidden = torch.randn(16, 1, WIDTH, device="cuda", dtype=torch.bfloat16)
    step: Work = torch.no_grad()(lambda: _forward(torch, layers, hidden, cache))
    return step


def decode_graph(torch: Any) -> Work:
    """The same token as a CUDA graph: the host has nothing to do with its speed."""
    step = decode(torch)
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        step()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    replay: Work = graph.replay
    return replay


def copy_zeros(torch: Any) -> Work:
    """The 2 GiB copy of zeros: what its data costs shows beside the copy of random bytes."""
    source = torch.zeros(2**31, device="cuda", dtype=torch.uint8)
    target = torch.zeros_like(source)
    return lambda: target.copy_(source)


def copy_noise(torch: Any) -> Work:
    """The 2 GiB copy of random bytes."""
    source = torch.empty(2**31, device="cuda", dtype=torch.uint8).random_()
    target = torch.empty_like(source)
    return lambda: target.copy_(source)


def prefill(torch: Any) -> Work:
    """Two prompts of 2,048 tokens."""
    layers = _decoder(torch)
    hidden = torch.randn(2, 2048, WIDTH, device="cuda", dtype=torch.bfloat16)
    prompts: Work = torch.no_grad()(lambda: _forward(torch, layers, hidden, None))
    return prompts


def _decoder(torch: Any) -> Any:
    """Weights of every layer and of the output, shared by decode and prefill."""
    if not _decoders:
        shapes = ((3 * WIDTH, WIDTH), (WIDTH, WIDTH), (2 * INNER, WIDTH), (WIDTH, INNER))
        bf16 = {"device": "cuda", "dtype": torch.bfloat16}
        _decoders.append([tuple(torch.randn(s, **bf16) * s[1] ** -0.5 for s in shapes) for _ in range(LAYERS)])
        _decoders.append(torch.randn(WORDS, WIDTH, **bf16) * WIDTH**-0.5)
    return _decoders[0]


def _forward(torch: Any, layers: Any, hidden: Any, cache: Any) -> Any:
    functions = torch.nn.functional
    for place, (qkv, out, gate_up, down) in enumerate(layers):
        normal = functions.rms_norm(hidden, (WIDTH,))
        query, key, value = functions.linear(normal, qkv).unflatten(-1, (3, HEADS, WIDTH // HEADS)).unbind(2)
        query, key, value = query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
        if cache is not None:
            cache[place][0][:, :, -1:], cache[place][1][:, :, -1:] = key, value
            key, value = cache[place][0], cache[place][1]
        seen = functions.scaled_dot_product_attention(query, key, value, is_causal=cache is None)
        hidden = hidden + functions.linear(seen.transpose(1, 2).flatten(2), out)
        gate, up = functions.linear(functions.rms_norm(hidden, (WIDTH,)), gate_up).chunk(2, -1)
        hidden = hidden + functions.linear(functions.silu(gate) * up, down)
    return functions.linear(hidden[:, -1], _decoders[1])


APPLICATIONS = {
    "copy": copy_noise,
    "resnet50_train": resnet50_train,
    "decode": decode,
    "decode_graph": decode_graph,
    "copy_zeros": copy_zeros,
    "prefill": prefill,
}

if __name__ == "__main__":
    Runner("torch", {**BUILDERS["torch"], **APPLICATIONS}).serve()
