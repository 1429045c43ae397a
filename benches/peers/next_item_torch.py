"""The network of models/next_item.toml in PyTorch, on the same file: rotary positions, GELU, tied weights, full softmax.

Trains on windows of 200 items (all of a user's but his last two), 64 a step, bf16 with fp32 weights and fused AdamW, and
prints valid tokens per second: eager with batches padded to their longest and logits only where there is a target, and
compiled in each mode with batches padded to 200; then users scored per second, eager. Usage: python next_item_torch.py ml-1m.txt [steps] [cpu|cuda]
"""
import random
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

FILE, STEPS = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 50
DEVICE = sys.argv[3] if len(sys.argv) > 3 else "cuda" if torch.cuda.is_available() else "cpu"
DIM, LENGTH, HEADS, BATCH, BLOCKS, DROPOUT = 64, 200, 2, 64, 2, 0.2


def windows():
    users, items = {}, {}
    for line in open(FILE):
        user, *rest = line.split()
        users.setdefault(user, []).extend(items.setdefault(item, len(items) + 1) for item in rest)
    found = []
    for known in (items[:-2] for items in users.values()):
        while len(known) > 1:
            found.append(known[-(LENGTH + 1):])
            known = known[:-LENGTH]
    return found, len(items) + 1


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(DIM), nn.LayerNorm(DIM)
        self.qkv, self.out = nn.Linear(DIM, 3 * DIM), nn.Linear(DIM, DIM)
        self.up, self.down, self.drop = nn.Linear(DIM, 4 * DIM), nn.Linear(4 * DIM, DIM), nn.Dropout(DROPOUT)

    def forward(self, x, cos, sin):
        b, l, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, l, 3, HEADS, DIM // HEADS).permute(2, 0, 3, 1, 4)
        turn = lambda t: t * cos[:l] + torch.cat([-t[..., t.shape[-1] // 2:], t[..., : t.shape[-1] // 2]], -1) * sin[:l]
        a = F.scaled_dot_product_attention(turn(q), turn(k), v, is_causal=True).transpose(1, 2).reshape(b, l, DIM)
        x = x + self.drop(self.out(a))
        return x + self.drop(self.down(F.gelu(self.up(self.norm2(x)))))


class Network(nn.Module):
    def __init__(self, items):
        super().__init__()
        self.item = nn.Embedding(items, DIM, padding_idx=0)
        self.blocks, self.norm, self.drop = nn.ModuleList(Block() for _ in range(BLOCKS)), nn.LayerNorm(DIM), nn.Dropout(DROPOUT)
        half = DIM // HEADS // 2
        angles = torch.arange(LENGTH)[:, None] / 10000 ** (torch.arange(half) / half)
        angles = torch.cat([angles, angles], -1)
        self.register_buffer("cos", angles.cos().bfloat16())
        self.register_buffer("sin", angles.sin().bfloat16())

    def states(self, x):
        h = self.drop(self.item(x) * DIM**0.5)
        for block in self.blocks:
            h = block(h, self.cos, self.sin)
        return self.norm(h)

    def forward(self, x, y, valid_only: bool):
        h, y = self.states(x).view(-1, DIM), y.view(-1)
        if valid_only:
            keep = (y > 0).nonzero().squeeze(1)
            h, y = h[keep], y[keep]
        return F.cross_entropy(h @ self.item.weight.T, y, ignore_index=0)


def batch(found, width=None):
    chosen = [random.choice(found) for _ in range(BATCH)]
    width = width or max(map(len, chosen)) - 1
    x, y = torch.zeros(BATCH, width, dtype=torch.long), torch.zeros(BATCH, width, dtype=torch.long)
    for i, items in enumerate(chosen):
        x[i, : len(items) - 1], y[i, : len(items) - 1] = torch.tensor(items[:-1]), torch.tensor(items[1:])
    # Pinned and sent without waiting, as a data loader does it.
    put = lambda t: t.pin_memory().to(DEVICE, non_blocking=True) if DEVICE == "cuda" else t
    return put(x), put(y), sum(len(items) - 1 for items in chosen)


def measure(name, found, items, mode, padded, valid_only, bf16=True):
    torch.manual_seed(0)
    random.seed(0)
    model = Network(items).to(DEVICE)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.98), fused=True)
    forward = torch.compile(model, mode=mode) if mode else model
    # Made before the clock runs: PyTorch users have workers for that.
    batches = [batch(found, LENGTH if padded else None) for _ in range(STEPS + 20)]
    tokens = 0
    for step, (x, y, count) in enumerate(batches):
        if step == 20:
            if DEVICE == "cuda":
                torch.cuda.synchronize()
            tokens, started = 0, time.time()
        with torch.autocast(DEVICE, torch.bfloat16, enabled=bf16):
            loss = forward(x, y, valid_only)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        tokens += count
    last = loss.item()
    seconds = time.time() - started
    print(f"{name}: {1e3 * seconds / STEPS:.2f} ms a step, {tokens / seconds:.0f} valid tokens/s (loss {last:.2f})", flush=True)


def score(found, items, by_length):
    """Ten products for each window, ranked by its last state: padded as it comes, or windows of like length together."""
    model = Network(items).to(DEVICE).eval()
    windows = sorted(found, key=len) if by_length else found
    started = time.time()
    with torch.inference_mode():
        for first in range(0, len(windows), 2 * BATCH):
            chosen = windows[first : first + 2 * BATCH]
            x = torch.zeros(len(chosen), max(map(len, chosen)), dtype=torch.long)
            for i, window in enumerate(chosen):
                x[i, : len(window)] = torch.tensor(window)
            last = torch.tensor([len(window) - 1 for window in chosen])
            state = model.states(x[:, :LENGTH].to(DEVICE))[torch.arange(len(chosen)), last.clamp_max(LENGTH - 1)]
            (state @ model.item.weight.T).topk(10)[1].cpu()
    order = "sorted by length" if by_length else "as they come"
    print(f"scoring, {order}: {len(windows) / (time.time() - started):.0f} windows/s", flush=True)


if __name__ == "__main__":
    found, items = windows()
    print("torch", torch.__version__, DEVICE, len(found), "windows")
    measure("eager bf16, padded to the longest, logits at targets", found, items, None, False, True)
    if DEVICE == "cpu":
        measure("eager fp32, padded to the longest, logits at targets", found, items, None, False, True, bf16=False)
    for mode in ["default", "reduce-overhead"] if DEVICE == "cuda" else ["default"]:
        kind = "bf16" if DEVICE == "cuda" else "fp32"
        measure(f"compiled ({mode}) {kind}, padded to {LENGTH}", found, items, mode, True, False, bf16=kind == "bf16")
    for by_length in (False, True):
        score(found, items, by_length)
