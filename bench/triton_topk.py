"""A top-k in two kernels of Triton, for compare_torch.py to compare with: what one would write there.

Stage 1 sorts tiles of a row and keeps the best of each; stage 2 sorts what is left. An element and its
index are one 64-bit number, so that sorting those gives the lowest index first among equals.
"""
import torch
import triton
import triton.language as tl

TILE = 2048
CANDIDATES_MAX = 16384


@triton.jit
def _composite(x, index):
    bits = x.to(tl.float32).to(tl.int32, bitcast=True)
    key = tl.where(bits < 0, bits ^ 0x7FFFFFFF, bits)  # the order of the floats, as signed integers
    return (key.to(tl.int64) << 32) | (0x7FFFFFFF - index).to(tl.int64)


@triton.jit
def _stage1(x, candidates, n, tiles, TILE: tl.constexpr, KEPT: tl.constexpr):
    row, tile = tl.program_id(0).to(tl.int64), tl.program_id(1)
    index = tile * TILE + tl.arange(0, TILE)
    element = tl.load(x + row * n + index, mask=index < n, other=float("-inf"))
    best = tl.topk(tl.where(index < n, _composite(element, index), -(1 << 63)), KEPT)
    tl.store(candidates + (row * tiles + tile) * KEPT + tl.arange(0, KEPT), best)


@triton.jit
def _stage2(candidates, x, values, indices, n, count, k, COUNT: tl.constexpr, KEPT: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, COUNT)
    found = tl.load(candidates + row * count + at, mask=at < count, other=-(1 << 63))
    index = 0x7FFFFFFF - (tl.topk(found, KEPT) & 0xFFFFFFFF)
    rank = tl.arange(0, KEPT)
    tl.store(indices + row * k + rank, index, mask=rank < k)
    tl.store(values + row * k + rank, tl.load(x + row * n + index, mask=rank < k), mask=rank < k)


class TwoStage:
    """Prepared for one shape; `run` enqueues on torch's current stream."""

    def __init__(self, rows, n, k, device):
        self.n, self.k, self.kept = n, k, triton.next_power_of_2(k)
        self.tiles = triton.cdiv(n, TILE)
        self.count = self.tiles * self.kept
        if self.kept > TILE or self.count > CANDIDATES_MAX:
            raise ValueError(f"{self.count} candidates a row are too many for its second kernel")
        self.candidates = torch.empty(rows, self.count, dtype=torch.int64, device=device)

    def run(self, x, values, indices):
        rows = x.shape[0]
        _stage1[(rows, self.tiles)](x, self.candidates, self.n, self.tiles, TILE, self.kept,
                                    num_warps=8)
        _stage2[(rows,)](self.candidates, x, values, indices, self.n, self.count, self.k,
                         triton.next_power_of_2(self.count), self.kept, num_warps=8)
