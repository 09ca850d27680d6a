#!/usr/bin/env python3
"""Compares which tokens our filters keep with HuggingFace's and with vLLM's, on random rows.

    cargo build --release -p aikf-topk-capi
    python3 bench/compare_samplers.py --lib target/release/libaikf_topk.so

HuggingFace's side are the processors of `transformers` themselves: repetition penalty, temperature,
top-k, top-p, min-p. vLLM's side is written here after its definition: bias, mask, penalties,
temperature, min-p, top-k, top-p; vllm is not imported. Both compute in f64 behind the penalties. Our
side is the C interface: the processed logarithms of all tokens, -inf for what may not be drawn.

A row agrees where the kept tokens are the same, but for what docs/sampling.md says:

- ties: among equals we keep the lower indices, exactly top_k tokens. HuggingFace and vLLM keep all
  equals of the k-th, and which of equals they keep at the end of top-p depends on their sort. Where
  that makes a difference their choice is replaced by ours before their next filter, and counted;
- the crossing: sums of f64 and of fixed-point numbers may end on two sides of top_p, and so may a
  quotient and min_p. Such a row is counted, and agrees only where we keep what they keep with limits
  moved by at most 1e-6;
- a token below 2^-44 of the greatest probability may be none to us.

Exit codes: 0 all agree, 1 some do not, 2 wrong usage or no library, 3 no PyTorch, no transformers or
no device.
"""
import argparse
import copy
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "capi", "python"))
import aikf_topk  # noqa: E402

MISMATCH, USAGE, NO_DEVICE = 1, 2, 3
STEPS = [(up, down) for up in (-1e-6, 0, 1e-6) for down in (-1e-6, 0, 1e-6)]
RESOLUTION = 2.0 ** -44
SAMPLES = 8
IN_PROMPT = -(1 << 31)
SHOWN = 5


def give_up(code, message):
    print(f"compare_samplers: {message}", file=sys.stderr)
    sys.exit(code)


try:
    import torch
except ImportError as missing:
    give_up(NO_DEVICE, f"PyTorch cannot be imported ({missing}): pip install torch")


class HuggingFace:
    """transformers' own processors, in the order in which `generate` applies them."""

    order = "huggingface"
    name = "HuggingFace"

    def __init__(self):
        try:
            import transformers
        except ImportError as error:
            give_up(NO_DEVICE, f"transformers cannot be imported ({error}): pip install transformers, "
                               "or compare --against vllm alone")
        self.module = transformers
        self.version = f"transformers {transformers.__version__}"

    def adjusted(self, row):
        """The logits in f32 after penalties, bias and mask."""
        logits = row.logits.float().clone()
        seen = (row.counts > 0) | row.prompt
        if row.repetition_penalty != 1 and seen.any():
            processor = self.module.RepetitionPenaltyLogitsProcessor(row.repetition_penalty)
            logits = processor(seen.nonzero().T, logits[None])[0]
        return logits

    def stages(self, row):
        if row.top_k:
            yield "top_k", self.module.TopKLogitsWarper(row.top_k)
        if row.top_p < 1:
            yield "top_p", self.module.TopPLogitsWarper(row.top_p)
        if row.min_p > 0:
            yield "min_p", self.module.MinPLogitsWarper(row.min_p)


class Vllm:
    """vLLM's sampler after its definition."""

    order = "vllm"
    name = "vLLM"
    version = "written here after its definition; vllm is not imported"

    def adjusted(self, row):
        logits = row.logits.float() + row.bias
        logits[~row.allowed] = -torch.inf
        seen = (row.counts > 0) | row.prompt
        penalty = torch.where(seen, row.repetition_penalty, 1.0)
        logits = torch.where(logits > 0, logits / penalty, logits * penalty)
        logits -= row.frequency_penalty * row.counts.float()
        return logits - row.presence_penalty * (row.counts > 0).float()

    def stages(self, row):
        if row.min_p > 0:
            yield "min_p", lambda _, scores: self.min_p(scores, row.min_p)
        if row.top_k:
            yield "top_k", lambda _, scores: self.top_k(scores, row.top_k)
        if row.top_p < 1:
            yield "top_p", lambda _, scores: self.top_p(scores, row.top_p)

    @staticmethod
    def min_p(scores, min_p):
        probabilities = scores.softmax(-1)
        least = min_p * probabilities.amax(-1, keepdim=True)
        return scores.masked_fill(probabilities < least, -torch.inf)

    @staticmethod
    def top_k(scores, k):
        kth = scores.sort(-1).values[..., -k, None]
        return scores.masked_fill(scores < kth, -torch.inf)

    @staticmethod
    def top_p(scores, top_p):
        ascending, order = scores.sort(-1)
        away = ascending.softmax(-1).cumsum(-1) <= 1 - top_p
        away[..., -1] = False
        return scores.masked_fill(away.scatter(-1, order, away), -torch.inf)


class Row:
    """A random case; `adjusted` by a history, and unless `plain` by a bias and a mask too."""

    def __init__(self, random, n, dtype, adjusted, plain):
        self.n, self.adjusted = n, adjusted
        self.logits = self.draw_logits(random, n).to(dtype)

        def uniform(low, high):
            return low + (high - low) * torch.rand(1, generator=random).item()

        def sometimes(share, low, high, otherwise):
            value = uniform(low, high) if uniform(0, 1) < share else otherwise
            return torch.tensor(value, dtype=torch.float32).item()  # as C gets it

        def some(share):
            return torch.rand(n, generator=random) < share

        self.temperature = sometimes(0.7, 0.3, 2.0, 1.0)
        self.top_k = int(sometimes(0.6, 1, n + 0.9, 0))
        self.top_p = sometimes(0.6, 0.05, 0.999, 1.0)
        self.min_p = sometimes(0.5, 0.001, 0.5, 0.0)
        self.repetition_penalty = sometimes(0.5, 0.8, 1.6, 1.0) if adjusted else 1.0
        self.frequency_penalty = self.presence_penalty = 0.0
        self.prompt, counted = some(0.1), some(0.1)
        self.counts = torch.where(counted, torch.randint(1, 4, (n,), generator=random), 0)
        self.bias, self.allowed = torch.zeros(n), torch.ones(n, dtype=torch.bool)
        if adjusted and not plain:
            self.frequency_penalty = sometimes(0.5, -1, 1, 0.0)
            self.presence_penalty = sometimes(0.5, -1, 1, 0.0)
            self.bias = torch.where(some(0.05), 2 * torch.randn(n, generator=random), 0)
            self.allowed = some(0.9)
            self.allowed[int(uniform(0, n))] = True
        if uniform(0, 1) < 0.2:
            self.on_the_edge(uniform(0, 1) < 0.5)

    @staticmethod
    def draw_logits(random, n):
        kind = torch.randint(0, 5, (1,), generator=random).item()
        logits = torch.randn(n, generator=random)
        if kind == 1:  # peaked, as a model's are
            logits = logits * 4
        if kind == 2:  # many equals
            logits = (logits * 2).round()
        if kind == 3:  # all equal but a few
            logits = torch.where(logits > 1.5, logits, 0.25)
        if kind == 4:  # masked by the caller
            logits = torch.where(torch.rand(n, generator=random) < 0.2, -torch.inf, logits)
            logits[0] = 1.0
        return logits

    def on_the_edge(self, is_top_p):
        """Puts a limit where a sum or a quotient of this very row lies."""
        masses = (self.logits.double() / self.temperature).softmax(-1).sort(descending=True).values
        if is_top_p:
            self.top_p = min(1.0, masses.cumsum(-1)[self.n // 3].float().item())
        else:
            self.min_p = (masses[self.n // 4] / masses[0]).float().item()

    def moved(self, top_p, min_p):
        """The same row with limits moved by these shares."""
        row = copy.copy(self)
        row.top_p = min(1.0, self.top_p * (1 + top_p))
        row.min_p = min(1.0, self.min_p * (1 + min_p))
        return row

    def params(self, library, seed):
        names = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty",
                 "frequency_penalty", "presence_penalty")
        return library.params(seed=seed, **{name: getattr(self, name) for name in names})


class Kept:
    """What a reference keeps of a row: a prefix of the best-first order, equals by index."""

    def __init__(self, reference, row):
        adjusted = reference.adjusted(row)
        scores = (adjusted.double() / row.temperature)[None]
        self.order = adjusted.sort(descending=True, stable=True).indices
        self.cut_ties = False
        for name, stage in reference.stages(row):
            most = row.top_k if name == "top_k" else row.n
            scores = self.ties_settled(scores, stage(None, scores), most)
        self.reference, self.scores = reference, scores[0]
        relative = (adjusted.double() - adjusted.double().max()) / row.temperature
        self.seen = relative.exp() >= RESOLUTION
        self.mask = (self.scores > -torch.inf) & self.seen

    def ties_settled(self, before, after, most):
        """What a filter kept, but of equals the lower indices, and at most so many."""
        kept = after[0] > -torch.inf
        best = self.order[:min(int(kept.sum()), most)]
        settled = torch.full_like(before, -torch.inf)
        settled[0, best] = before[0, best]
        self.cut_ties |= not settled.equal(after)
        return settled

    def verdict(self, ours, row):
        """How our mask compares: same, tie, crossing, or a text that says what is wrong."""
        ours = ours & self.seen
        if ours.equal(self.mask):
            return "tie" if self.cut_ties else "same"
        count, expected = int(ours.sum()), int(self.mask.sum())
        if not ours[self.order[:count]].all():
            return f"not the {count} best"
        moved = [int(Kept(self.reference, row.moved(*steps)).mask.sum()) for steps in STEPS]
        close = min(moved) <= count <= max(moved)
        return "crossing" if close else f"{count} tokens, not {expected}"

    def worst_logprob(self, ours, logprobs):
        """The greatest error of our logarithms, relative where they are above 1, where the kept tokens
        are the same."""
        if not (ours & self.seen).equal(self.mask):
            return 0.0
        expected = self.scores.masked_fill(~self.mask, -torch.inf).log_softmax(-1)[self.mask]
        error = (logprobs[self.mask].double() - expected).abs() / expected.abs().clamp(min=1)
        return error.max().item()


class Ours:
    """The library, on its device."""

    def __init__(self, library, device):
        self.library, self.runtime = library, library.open(device)
        self.memory = "cuda" if self.runtime.device().startswith("cuda") else "cpu"

    def run(self, rows, order, dtype, seed):
        """Of each row the kept tokens, their logarithms, the drawn tokens."""
        count, n = len(rows), rows[0].n

        def stacked(name):
            return torch.stack([getattr(row, name) for row in rows])

        def place(tensor):
            return tensor.contiguous().to(self.memory)

        def room(width, dtype):
            return torch.zeros(count, width, dtype=dtype, device=self.memory)

        histories = stacked("counts").int() + torch.where(stacked("prompt"), IN_PROMPT, 0).int()
        bias, allowed = stacked("bias"), stacked("allowed")
        starts = torch.cat([torch.zeros(1), (bias != 0).sum(-1).cumsum(0)]).int()
        padded = torch.nn.functional.pad(allowed, (0, -n % 32)).view(count, -1, 32).long()
        words = (padded << torch.arange(32)).sum(-1).to(torch.uint32)
        tensors = {
            "input": place(stacked("logits")), "histories": place(histories),
            "bias_starts": place(starts), "bias_tokens": place((bias != 0).nonzero()[:, 1].int()),
            "bias_values": place(bias[bias != 0]), "allowed": place(words),
            "tokens": room(SAMPLES, torch.int32), "ranks": room(SAMPLES, torch.int32),
            "logprobs": room(SAMPLES, torch.float32), "status": room(1, torch.int32),
            "top_tokens": room(n, torch.int32), "top_logprobs": room(n, torch.float32),
        }
        pointers = {name: tensor.data_ptr() for name, tensor in tensors.items()}
        if not rows[0].adjusted:
            pointers.update(histories=None, allowed=None)
        if not rows[0].adjusted or not pointers["bias_tokens"]:  # an empty list has no address
            pointers.update(bias_starts=None, bias_tokens=None, bias_values=None)
        params = [row.params(self.library, seed + at) for at, row in enumerate(rows)]
        options = dict(rows=count, n=n, dtype=dtype, order=order, num_samples=SAMPLES,
                       adjusted=int(rows[0].adjusted), logprobs="processed", top_logprobs=n)
        if self.memory == "cuda":
            sampler = self.runtime.sampler(params, **options)
            sampler.run(pointers, torch.cuda.current_stream().cuda_stream)
            torch.cuda.synchronize()
        else:
            self.runtime.sample(params, pointers, **options)
        top = tensors["top_logprobs"].cpu()
        logprobs = torch.empty_like(top).scatter_(1, tensors["top_tokens"].cpu().long(), top)
        return logprobs > -torch.inf, logprobs, tensors["tokens"].cpu().long()


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lib", help="libaikf_topk.so (default: the variable LIBAIKF_TOPK)")
    parser.add_argument("--device", help="cuda:0, cpu, emulator (default: a GPU where PyTorch has one)")
    parser.add_argument("--cases", type=int, default=2000, help="rows of each kind")
    parser.add_argument("--against", default="hf,vllm", help="hf, vllm or both (default)")
    parser.add_argument("--dtype", default="f32,bf16,f16")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.dtype, args.against = args.dtype.split(","), args.against.split(",")
    if any(name not in aikf_topk.DTYPES for name in args.dtype):
        parser.error(f"--dtype: it must be of {', '.join(aikf_topk.DTYPES)}")
    if any(name not in ("hf", "vllm") for name in args.against) or args.cases < 1:
        parser.error("--against must be of hf and vllm, and --cases at least 1")
    return args


def open_library(args):
    try:
        library = aikf_topk.Library(args.lib)
    except (OSError, aikf_topk.Error) as error:
        give_up(USAGE, f"the library: {error}\nbuild it with `cargo build --release -p "
                       "aikf-topk-capi`, and name it with --lib")
    try:
        return Ours(library, args.device or ("cuda:0" if torch.cuda.is_available() else "cpu"))
    except aikf_topk.Error as error:
        give_up(NO_DEVICE, str(error))


def compare(ours, reference, dtype, args):
    """Compares all cases of a kind; how often each verdict came, and what is wrong."""
    random = torch.Generator().manual_seed(args.seed)
    torch_dtype = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}[dtype]
    counts, wrong, worst = {"same": 0, "tie": 0, "crossing": 0}, [], 0.0
    for start in range(0, args.cases, 32):
        n = 2 + int(1023 * torch.rand(1, generator=random).item() ** 2)
        adjusted, plain = start // 32 % 2 == 0, reference.order == "huggingface"
        rows = [Row(random, n, torch_dtype, adjusted, plain)
                for _ in range(min(32, args.cases - start))]
        kept, logprobs, tokens = ours.run(rows, reference.order, dtype, start)
        for at, row in enumerate(rows):
            expected = Kept(reference, row)
            verdict = expected.verdict(kept[at], row)
            error = expected.worst_logprob(kept[at], logprobs[at])
            worst = max(worst, error)
            if not kept[at][tokens[at]].all():
                verdict = "a token was drawn that is not kept"
            if error > 1e-5:
                verdict = f"a logarithm is off by {error:.2e}"
            if verdict in counts:
                counts[verdict] += 1
            else:
                wrong.append(f"case {start + at}, n {n}, {verdict}: " + ", ".join(
                    f"{name} {getattr(row, name)}" for name in ("temperature", "top_k", "top_p",
                                                                "min_p", "repetition_penalty")))
    return counts, wrong, worst


def main():
    args = arguments()
    references = [HuggingFace() if name == "hf" else Vllm() for name in args.against]
    ours = open_library(args)
    print(f"aikf-topk {ours.library.version()} on {ours.runtime.device()}, torch {torch.__version__}")
    failed = False
    for reference in references:
        print(f"against {reference.name} ({reference.version})")
        for dtype in args.dtype:
            counts, wrong, worst = compare(ours, reference, dtype, args)
            print(f"  {dtype}: {args.cases} cases, {len(wrong)} mismatches; {counts['same']} the same, "
                  f"{counts['tie']} but for ties, {counts['crossing']} but for the crossing; "
                  f"logarithms within {worst:.1e}")
            for text in wrong[:SHOWN]:
                print(f"    {text}")
            failed |= bool(wrong)
    sys.exit(MISMATCH if failed else 0)


if __name__ == "__main__":
    main()
