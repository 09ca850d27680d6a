#!/usr/bin/env python3
"""Measures libaikf_topk.so against PyTorch in one process, on PyTorch's tensors and streams.

    cargo build --release -p aikf-topk-capi
    python3 bench/compare_torch.py --lib target/release/libaikf_topk.so --batch 1,8,64

Each implementation is captured in a CUDA graph of many calls. Inputs rotate over more than 240 MB,
and the cache is flushed before each replay (by reading, so that it holds nothing to write back); with
--warm the same input again and again is measured too. Replays of the implementations take turns.

Answers are checked before anything is timed, and those of the graphs after it: values bit for bit as
torch.topk's, indices as those of a stable sort, which is the rule of the lowest index. With --sample
draws are measured against a pipeline of PyTorch (top-k, softmax, cumulative top-p, a race of
exponentials), and our tokens are compared with those of the library's CPU path.

With --format json a report is written as `topk bench` writes one, for `topk plot` and `--baseline`.
With --sample it says so (`"what": "sample"`), and those, which are about selections, refuse it.

Exit codes: 0 ok, 1 an answer differs, 2 wrong usage, 3 no PyTorch or no GPU.
"""
import argparse
import csv
import datetime
import io
import json
import os
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "capi", "python")]
import aikf_topk  # noqa: E402

BACKENDS = ("auto", "singlepass", "stream", "streaming", "radix")
OTHERS = ("triton", "jax")
POOL_BYTES = 240_000_000
INDEX_BYTES = 4  # as `topk bench` counts, so that GB/s compare, whatever is written
DRAW_BYTES = 8  # token and status
CALLS_MIN, SETS_MAX = 20, 512
SLEEP_CYCLES = 5_000_000
MISMATCH, USAGE, NO_DEVICE = 1, 2, 3


def give_up(code, message):
    print(f"compare_torch: {message}", file=sys.stderr)
    sys.exit(code)


def numbers(text):
    return [int(part) for part in text.split(",")]


def words(text):
    return text.split(",")


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lib", help="libaikf_topk.so (default: the variable LIBAIKF_TOPK)")
    parser.add_argument("--batch", type=numbers, default=[1, 8, 64], metavar="N,...")
    parser.add_argument("--vocab", type=numbers, default=[128256], metavar="N,...")
    parser.add_argument("--top-k", type=numbers, default=[50], metavar="K,...",
                        help="with --sample 0 keeps every token")
    parser.add_argument("--dtype", type=words, default=["f32"], metavar="f32,bf16,f16")
    parser.add_argument("--impls", type=words, default=["auto"],
                        metavar=",".join(BACKENDS + OTHERS),
                        help="beside torch; triton and jax where they can be imported")
    parser.add_argument("--iters", type=int, default=30, help="replays that are timed")
    parser.add_argument("--warm", action="store_true", help="also with the input in the cache")
    parser.add_argument("--sample", action="store_true", help="draws instead of selections")
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--top-p", type=float, default=0.9)
    parser.add_argument("--min-p", type=float, default=0.0)
    parser.add_argument("--device", type=int, default=0, help="the GPU's number")
    parser.add_argument("--format", choices=("table", "json", "markdown", "csv"), default="table")
    parser.add_argument("--output", help="a file, instead of standard output")
    args = parser.parse_args()
    unknown = [name for name in args.impls if name not in BACKENDS + OTHERS]
    if unknown:
        parser.error(f"--impls {unknown[0]}: it must be one of {', '.join(BACKENDS + OTHERS)}")
    wrong = [name for name in args.dtype if name not in aikf_topk.DTYPES]
    if wrong:
        parser.error(f"--dtype {wrong[0]}: it must be one of {', '.join(aikf_topk.DTYPES)}")
    if args.iters < 1 or min(args.batch + args.vocab) < 1 or min(args.top_k) < (not args.sample):
        parser.error("--iters, --batch, --vocab and --top-k must be at least 1")
    if max(args.top_k) > min(args.vocab):
        parser.error(f"--top-k {max(args.top_k)} is above --vocab {min(args.vocab)}")
    if args.sample and args.impls != ["auto"]:
        parser.error("--sample goes with no --impls: a sampler has one way for each kind of row")
    return args


def import_torch():
    try:
        import torch
    except ImportError as error:
        give_up(NO_DEVICE, f"PyTorch cannot be imported ({error}): pip install torch")
    if not torch.cuda.is_available():
        give_up(NO_DEVICE, "PyTorch finds no GPU: torch.cuda.is_available() is false")
    return torch


class Shape:
    """A workload, and inputs for it."""

    def __init__(self, torch, rows, n, k, dtype):
        self.rows, self.n, self.k, self.dtype = rows, n, k, dtype
        self.torch_dtype = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}[dtype]
        self.bytes = rows * n * self.torch_dtype.itemsize
        self.answer_bytes = rows * k * (self.torch_dtype.itemsize + INDEX_BYTES)
        sets = max(1, min(SETS_MAX, -(-POOL_BYTES // self.bytes)))
        pool = torch.empty(sets, rows, n, dtype=self.torch_dtype, device="cuda")
        for one in pool:
            one.normal_()
        self.inputs = list(pool)

    def __str__(self):
        return f"{self.rows} x {self.n}, k {self.k}, {self.dtype}"


class Selection:
    """One implementation of a selection, prepared for a shape."""

    graph = True

    def __init__(self, torch, runtime, name, shape):
        self.torch, self.name, self.ran, self.shape = torch, name, name, shape
        self.values = torch.empty(shape.rows, shape.k, dtype=shape.torch_dtype, device="cuda")
        self.indices = torch.empty(shape.rows, shape.k, dtype=torch.int64, device="cuda")
        if name == "triton":
            import triton_topk
            self.two_stage = triton_topk.TwoStage(shape.rows, shape.n, shape.k, "cuda")
            self.run = lambda x: self.two_stage.run(x, self.values, self.indices)
        elif name == "torch":
            self.run = lambda x: torch.topk(x, shape.k, out=(self.values, self.indices))
        else:
            self.topk = runtime.topk(rows=shape.rows, n=shape.n, k=shape.k, dtype=shape.dtype,
                                     index="i64", backend=name)
            self.ran = ran_of(self.topk.explain())
            self.run = self.run_ours

    def run_ours(self, x):
        self.topk.run(x.data_ptr(), self.values.data_ptr(), self.indices.data_ptr(),
                      stream=self.torch.cuda.current_stream().cuda_stream)

    def is_right(self):
        """Whether it gives the right answers, for the shape's rows and for rows full of equals."""
        torch, shape = self.torch, self.shape
        ties = torch.randint(-8, 8, (shape.rows, shape.n), dtype=torch.int8, device="cuda")
        right = True
        for x in (shape.inputs[-1], ties.to(shape.torch_dtype)):
            self.run(x)
            right &= self.has_answered(x)
        return right

    def has_answered(self, x):
        """Whether the outputs are the right ones for these rows."""
        torch, k = self.torch, self.shape.k
        right = bits(torch, torch.topk(x, k).values).equal(bits(torch, self.values))
        if self.name == "torch":  # which of equals it takes is its own affair
            return right
        chunk = max(1, (1 << 27) // self.shape.n)
        for start in range(0, self.shape.rows, chunk):
            rows = slice(start, start + chunk)
            order = torch.sort(x[rows], dim=-1, descending=True, stable=True).indices[:, :k]
            right &= order.equal(self.indices[rows])
        return right


class JaxSelection:
    """jax.lax.top_k on the same tensors. Not in a graph: calls one behind the other, waited for."""

    graph = False

    def __init__(self, torch, shape):
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        import jax
        self.torch, self.name, self.ran, self.shape, self.jax = torch, "jax", "jax", shape, jax
        self.function = jax.jit(lambda x: jax.lax.top_k(x, shape.k))
        torch.cuda.synchronize()
        self.arrays = [jax.dlpack.from_dlpack(x) for x in shape.inputs]

    def is_right(self):
        values, _ = self.function(self.arrays[-1])
        ours = self.torch.from_dlpack(values)
        theirs = self.torch.topk(self.shape.inputs[-1], self.shape.k).values
        return bits(self.torch, theirs).equal(bits(self.torch, ours))

    def time(self):
        import time
        calls = [self.arrays[i % len(self.arrays)] for i in range(max(CALLS_MIN, len(self.arrays)))]
        self.jax.block_until_ready([self.function(x) for x in calls])
        start = time.perf_counter()
        self.jax.block_until_ready([self.function(x) for x in calls])
        return (time.perf_counter() - start) * 1e6 / len(calls)


class Sampling:
    """Draws, by the library or by a pipeline of PyTorch."""

    graph = True

    def __init__(self, torch, runtime, name, shape, args):
        self.torch, self.name, self.ran, self.shape, self.args = torch, name, name, shape, args
        self.tokens = torch.empty(shape.rows, dtype=torch.int32, device="cuda")
        self.run = self.run_torch
        if name != "torch":
            self.status = torch.empty(shape.rows, dtype=torch.int32, device="cuda")
            self.positions = torch.arange(shape.rows, dtype=torch.int64, device="cuda")
            library = runtime.library
            self.library = library
            fields = dict(temperature=args.temperature, top_k=shape.k, top_p=args.top_p,
                          min_p=args.min_p)
            self.params = [library.params(seed=row, **fields) for row in range(shape.rows)]
            self.sampler = runtime.sampler(self.params, rows=shape.rows, n=shape.n, dtype=shape.dtype)
            self.run = self.run_ours

    def run_ours(self, x):
        call = dict(input=x.data_ptr(), positions=self.positions.data_ptr(),
                    tokens=self.tokens.data_ptr(), status=self.status.data_ptr())
        self.sampler.run(call, self.torch.cuda.current_stream().cuda_stream)

    def run_torch(self, x):
        torch, args = self.torch, self.args
        kept, tokens = torch.topk(x, self.shape.k) if self.shape.k else (x, None)
        if not self.shape.k and args.top_p < 1:
            kept, tokens = torch.sort(x, dim=-1, descending=True)
        probabilities = torch.softmax(kept.float() / args.temperature, dim=-1)
        if args.top_p < 1:
            before = probabilities.cumsum(dim=-1) - probabilities
            probabilities = torch.where(before < args.top_p, probabilities, 0)
        if args.min_p > 0:
            least = probabilities.amax(dim=-1, keepdim=True) * args.min_p
            probabilities = torch.where(probabilities >= least, probabilities, 0)
        race = torch.empty_like(probabilities).exponential_()
        drawn = (probabilities / race).argmax(dim=-1, keepdim=True)
        drawn = drawn if tokens is None else tokens.gather(-1, drawn)
        self.tokens.copy_(drawn.squeeze(-1))

    def is_right(self):
        self.run(self.shape.inputs[-1])
        return self.has_answered(self.shape.inputs[-1])

    def has_answered(self, x):
        """Whether the tokens are those of the CPU path; PyTorch's are its own affair."""
        if self.name == "torch":
            return True
        torch, shape = self.torch, self.shape
        rows = min(shape.rows, 64)
        logits, positions = x[:rows].cpu(), self.positions[:rows].cpu()
        tokens = torch.empty(rows, dtype=torch.int32)
        status = torch.empty(rows, dtype=torch.int32)
        call = dict(input=logits.data_ptr(), positions=positions.data_ptr(),
                    tokens=tokens.data_ptr(), status=status.data_ptr())
        cpu = self.library.open("cpu")
        cpu.sample(self.params[:rows], call, rows=rows, n=shape.n, dtype=shape.dtype)
        return tokens.equal(self.tokens[:rows].cpu()) and not self.status.any()


def ran_of(explanation):
    """The backend that a plan has, by its first line: `backend NAME: why`."""
    return explanation.removeprefix("backend ").split(":")[0]


def bits(torch, x):
    return x.contiguous().view(torch.int32 if x.dtype == torch.float32 else torch.int16)


class Captured:
    """Calls of an implementation in a CUDA graph."""

    def __init__(self, torch, implementation, inputs):
        self.torch, self.calls = torch, max(CALLS_MIN, len(inputs))
        self.implementation, self.last = implementation, inputs[(self.calls - 1) % len(inputs)]
        implementation.run(inputs[0])  # what happens at a first call is not to be captured
        torch.cuda.synchronize()
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            for call in range(self.calls):
                implementation.run(inputs[call % len(inputs)])
        self.events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]

    def time(self, flush=lambda: None):
        """Microseconds a call, of one replay."""
        self.torch.cuda._sleep(SLEEP_CYCLES)  # the GPU waits until all of this is enqueued
        flush()
        self.events[0].record()
        self.graph.replay()
        self.events[1].record()
        self.torch.cuda.synchronize()
        return self.events[0].elapsed_time(self.events[1]) * 1e3 / self.calls


class Bench:
    def __init__(self, torch, args):
        self.torch, self.args, self.rows, self.wrong = torch, args, [], []
        self.runtime = self.open()
        self.cold = torch.zeros(256 << 20, dtype=torch.uint8, device="cuda").view(torch.int64)
        self.copy_gbs = self.copy_bandwidth()
        self.about = {"device": torch.cuda.get_device_name(args.device),
                      "date": datetime.date.today().isoformat(), "torch": torch.__version__,
                      "library": self.runtime.library.version(), "command": sys.argv[1:]}

    def open(self):
        try:
            library = aikf_topk.Library(self.args.lib)
        except (OSError, aikf_topk.Error) as error:
            give_up(USAGE, f"the library: {error}\nbuild it with `cargo build --release -p "
                           "aikf-topk-capi`, and name it with --lib")
        try:
            return library.open(f"cuda:{self.args.device}")
        except aikf_topk.Error as error:
            give_up(NO_DEVICE, str(error))

    def copy_bandwidth(self):
        """GB/s of a copy in the GPU's memory, reads and writes together."""
        torch = self.torch
        source = torch.zeros(1 << 30, dtype=torch.uint8, device="cuda")
        target = torch.empty_like(source)

        class Copy:
            run = staticmethod(target.copy_)

        captured = Captured(torch, Copy, [source])
        return 2 * source.numel() / min(captured.time() for _ in range(5)) / 1e3

    def implementation(self, name, shape):
        if self.args.sample:
            return Sampling(self.torch, self.runtime, name, shape, self.args)
        if name == "jax":
            return JaxSelection(self.torch, shape)
        return Selection(self.torch, self.runtime, name, shape)

    def measure(self, shape):
        implementations = []
        for name in ["torch"] + self.args.impls:
            try:
                implementation = self.implementation(name, shape)
                self.check(shape, name, implementation.is_right())
            except Exception as error:
                if name not in OTHERS:
                    raise
                print(f"{shape}: no {name}: {error}", file=sys.stderr)
            else:
                implementations.append(implementation)
        self.in_graphs(shape, implementations, "graph-cold", shape.inputs, self.cold.sum)
        if self.args.warm:
            self.in_graphs(shape, implementations, "graph-warm", shape.inputs[:1], lambda: None)
        for implementation in implementations:
            if not implementation.graph:
                times = [implementation.time() for _ in range(self.args.iters)]
                self.add(implementation, "eager", times)

    def check(self, shape, name, right):
        if not right and (str(shape), name) not in self.wrong:
            self.wrong.append((str(shape), name))

    def in_graphs(self, shape, implementations, mode, inputs, flush):
        graphs = [Captured(self.torch, implementation, inputs)
                  for implementation in implementations if implementation.graph]
        times = [[] for _ in graphs]
        for _ in range(self.args.iters + 3):  # the first three warm up
            for graph, own in zip(graphs, times):
                own.append(graph.time(flush))
        for graph, own in zip(graphs, times):
            graph.time()  # the outputs are now this one's
            implementation = graph.implementation
            self.check(shape, implementation.name, implementation.has_answered(graph.last))
            self.add(implementation, mode, own[3:])

    def add(self, implementation, mode, times):
        shape, name = implementation.shape, implementation.name
        times, last = sorted(times), len(times) - 1
        median = statistics.median(times)
        answer_bytes = shape.rows * DRAW_BYTES if self.args.sample else shape.answer_bytes
        gbs = (shape.bytes + answer_bytes) / median / 1e3
        of_torch = [row["median_us"] for row in self.rows if row["backend"] == "torch"
                    and row["mode"] == mode and row["shape"] == str(shape)]
        self.rows.append({
            "shape": str(shape), "rows": shape.rows, "n": shape.n, "k": shape.k,
            "dtype": shape.dtype, "backend": name, "ran": implementation.ran, "mode": mode,
            "cold": mode != "graph-warm",
            "median_us": round(median, 3), "p10_us": round(times[round(last * 0.1)], 3),
            "p90_us": round(times[round(last * 0.9)], 3), "gbs": round(gbs, 3),
            "of_copy": round(gbs / self.copy_gbs, 4),
            "vs_torch": round(of_torch[0] / median, 2) if of_torch else None,
            "samples": len(times), "verified": (str(shape), name) not in self.wrong,
        })
        if name == "torch":
            self.rows[-1]["vs_torch"] = 1.0

    def mark_best(self):
        """Says of each row whether it is the fastest of its workload and mode."""
        def rivals(row):
            return [other["median_us"] for other in self.rows
                    if (other["shape"], other["mode"]) == (row["shape"], row["mode"])]
        for row in self.rows:
            row["best"] = row["median_us"] == min(rivals(row))


COLUMNS = ("rows", "n", "k", "dtype", "backend", "mode", "median_us", "p10_us", "p90_us", "gbs",
           "of_copy", "vs_torch", "verified")
# All that the reader in bench/src/report.rs wants of a row.
FIELDS = ("rows", "n", "k", "dtype", "backend", "ran", "mode", "cold", "median_us", "p10_us",
          "p90_us", "gbs", "of_copy", "vs_torch", "best", "samples", "verified")


def cells(columns, rows):
    """The table as texts, its header first."""
    def cell(value):
        if isinstance(value, bool):
            return str(value).lower()
        return "" if value is None else str(value)
    return [columns] + [[cell(row[column]) for column in columns] for row in rows]


def written(bench, form):
    """The report as text."""
    bench.mark_best()
    about = bench.about
    if form == "json":
        report = {"schema": 1, "what": "sample" if bench.args.sample else "select", **about,
                  "copy_gbs": round(bench.copy_gbs, 1),
                  "rows": [{key: row[key] for key in FIELDS} for row in bench.rows]}
        return json.dumps(report, indent=1) + "\n"
    if form == "csv":
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(cells(FIELDS, bench.rows))
        return text.getvalue()
    table = cells(COLUMNS, bench.rows)
    widths = [max(map(len, column)) for column in zip(*table)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths)) for line in table]
    if form == "markdown":
        lines = ["| " + " | ".join(line) + " |" for line in [COLUMNS, ["---"] * len(COLUMNS)] + table[1:]]
    title = (f"{about['device']}, torch {about['torch']}, aikf-topk {about['library']}, "
             f"copy {bench.copy_gbs:.0f} GB/s")
    return "\n".join([title, ""] + lines) + "\n"


def measure_all(torch, bench, args):
    for dtype in args.dtype:
        for n in args.vocab:
            for k in args.top_k:
                for rows in args.batch:
                    bench.measure(Shape(torch, rows, n, k, dtype))
                    torch.cuda.empty_cache()


def main():
    args = arguments()
    torch = import_torch()
    if args.device >= torch.cuda.device_count():
        give_up(NO_DEVICE, f"--device {args.device}: there are {torch.cuda.device_count()} GPUs")
    torch.cuda.set_device(args.device)
    torch.manual_seed(7)
    bench = Bench(torch, args)
    try:
        measure_all(torch, bench, args)
    except aikf_topk.Error as error:
        give_up(USAGE, f"the library refuses: {error}")
    text = written(bench, args.format)
    if args.output:
        with open(args.output, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        sys.stdout.write(text)
    if bench.wrong:
        give_up(MISMATCH, "wrong answers: " + "; ".join(map(", ".join, bench.wrong)))


if __name__ == "__main__":
    main()
