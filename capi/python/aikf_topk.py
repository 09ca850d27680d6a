"""The C interface of aikf-topk for Python: ctypes alone, no build, no dependency.

A thin copy of capi/include/aikf_topk.h, whose comments say what everything means. Pointers are plain
integers: `tensor.data_ptr()` of PyTorch, on a device that both use, or `ctypes.addressof`.

    runtime = Library().open("cuda:0")
    topk = runtime.topk(rows=8, n=50000, k=50, dtype="f32", index="i64")
    topk.run(x.data_ptr(), values.data_ptr(), indices.data_ptr(), stream=stream.cuda_stream)
"""
import ctypes as c
import os

ABI_VERSION = 1
DTYPES = {"f32": 0, "f16": 1, "bf16": 2}
INDICES = {"u32": 0, "i64": 1}
ORDERS = {"huggingface": 0, "vllm": 1, "llama.cpp": 2}
LOGPROBS = {None: 0, "raw": 1, "processed": 2}


class Error(Exception):
    """A call failed: its status (an `aikf_status`) and the library's message."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class _Options(c.Structure):
    """A struct whose first field is its size."""

    def __init__(self, **fields):
        super().__init__(struct_size=c.sizeof(type(self)), **fields)


class TopKOptions(_Options):
    _fields_ = [
        ("struct_size", c.c_size_t), ("rows", c.c_size_t), ("n", c.c_size_t),
        ("row_stride", c.c_size_t), ("k", c.c_size_t), ("dtype", c.c_uint32),
        ("index", c.c_uint32), ("smallest", c.c_uint32), ("unsorted", c.c_uint32),
        ("backend", c.c_char_p), ("knobs", c.c_char_p),
    ]


class SamplerOptions(_Options):
    _fields_ = [
        ("struct_size", c.c_size_t), ("rows", c.c_size_t), ("n", c.c_size_t),
        ("row_stride", c.c_size_t), ("num_samples", c.c_size_t), ("top_logprobs", c.c_size_t),
        ("dtype", c.c_uint32), ("order", c.c_uint32), ("logprobs", c.c_uint32),
        ("without_replacement", c.c_uint32), ("adjusted", c.c_uint32), ("reserved", c.c_uint32),
        ("knobs", c.c_char_p),
    ]


class SampleCall(_Options):
    _fields_ = [("struct_size", c.c_size_t)] + [(name, c.c_void_p) for name in (
        "input", "lengths", "seeds", "positions", "tokens", "status", "logprobs", "ranks",
        "top_tokens", "top_logprobs", "histories", "bias_starts", "bias_tokens", "bias_values",
        "allowed")]


class SamplingParams(c.Structure):
    _fields_ = [
        ("seed", c.c_uint64), ("position", c.c_uint64), ("top_k", c.c_int64),
        ("temperature", c.c_float), ("top_p", c.c_float), ("min_p", c.c_float),
        ("repetition_penalty", c.c_float), ("frequency_penalty", c.c_float),
        ("presence_penalty", c.c_float), ("has_seed", c.c_uint32), ("reserved", c.c_uint32),
    ]


class Library:
    """libaikf_topk, from `path`, else the variable LIBAIKF_TOPK, else the system's folders."""

    def __init__(self, path=None):
        path = path or os.environ.get("LIBAIKF_TOPK") or "libaikf_topk.so"
        self.functions = functions = c.CDLL(path)
        for name in ("aikf_version", "aikf_last_error", "aikf_runtime_device",
                     "aikf_topk_explain", "aikf_sampler_explain"):
            getattr(functions, name).restype = c.c_char_p
        functions.aikf_sampling_params_default.restype = SamplingParams
        functions.aikf_abi_version.restype = c.c_uint32
        found = functions.aikf_abi_version()
        if found != ABI_VERSION:
            raise Error(2, f"{path} has version {found} of the interface, this module {ABI_VERSION}")

    def version(self):
        return self.functions.aikf_version().decode()

    def call(self, name, *arguments):
        self.check(getattr(self.functions, name)(*arguments))

    def check(self, status):
        if status != 0:
            raise Error(status, self.functions.aikf_last_error().decode())

    def open(self, device):
        return Runtime(self, device)

    def params(self, **fields):
        """The parameters of one row: the defaults, but for these. A seed counts where it is given."""
        params = self.functions.aikf_sampling_params_default()
        for name, value in fields.items():
            setattr(params, name, value)
        params.has_seed = int("seed" in fields)
        return params


class _Handle:
    """A handle that is freed with its object."""

    def __init__(self, library, free):
        self.library, self._free, self.handle = library, getattr(library.functions, free), c.c_void_p()

    def __del__(self):
        if getattr(self, "handle", None):
            self._free(self.handle)


class Runtime(_Handle):
    """An open device: "cuda:0", "cpu", "emulator", "auto"."""

    def __init__(self, library, device):
        super().__init__(library, "aikf_runtime_close")
        library.call("aikf_runtime_open", device.encode(), c.byref(self.handle))

    def device(self):
        return self.library.functions.aikf_runtime_device(self.handle).decode()

    def topk(self, **options):
        """A prepared selection; options as in `aikf_topk_options`, types and texts by name."""
        return TopK(self, topk_options(**options))

    def select(self, input, values, indices, lengths=None, **options):
        """A selection from rows in the host's memory."""
        self.library.call("aikf_topk_select", self.handle, c.byref(topk_options(**options)),
                          *map(c.c_void_p, (input, lengths, values, indices)))

    def sampler(self, params, **options):
        """A prepared sampler; options as in `aikf_sampler_options`, `params` one or one a row."""
        return Sampler(self, sampler_options(**options), params)

    def sample(self, params, call, **options):
        """Draws from rows in the host's memory; `call` has the pointers of a `SampleCall`."""
        self.library.call("aikf_sampler_sample", self.handle, c.byref(sampler_options(**options)),
                          *_array(params), c.byref(SampleCall(**call)))


class TopK(_Handle):
    def __init__(self, runtime, options):
        super().__init__(runtime.library, "aikf_topk_free")
        self.library.call("aikf_topk_prepare", runtime.handle, c.byref(options), c.byref(self.handle))
        self._run = self.library.functions.aikf_topk_run
        self._run.argtypes = [c.c_void_p] * 6

    def run(self, input, values, indices, lengths=None, stream=None):
        self.library.check(self._run(self.handle, input, lengths, values, indices, stream))

    def explain(self):
        return self.library.functions.aikf_topk_explain(self.handle).decode()


class Sampler(_Handle):
    def __init__(self, runtime, options, params):
        super().__init__(runtime.library, "aikf_sampler_free")
        self.library.call("aikf_sampler_prepare", runtime.handle, c.byref(options),
                          *_array(params), c.byref(self.handle))

    def run(self, call, stream=None):
        self.library.call("aikf_sampler_run", self.handle, c.byref(SampleCall(**call)),
                          c.c_void_p(stream))

    def explain(self):
        return self.library.functions.aikf_sampler_explain(self.handle).decode()


def topk_options(dtype="f32", index="u32", backend=None, knobs=None, **numbers):
    return TopKOptions(dtype=DTYPES[dtype], index=INDICES[index], backend=_text(backend),
                       knobs=_text(knobs), **numbers)


def sampler_options(dtype="f32", order="huggingface", logprobs=None, knobs=None, **numbers):
    return SamplerOptions(dtype=DTYPES[dtype], order=ORDERS[order], logprobs=LOGPROBS[logprobs],
                          knobs=_text(knobs), **numbers)


def _text(text):
    return None if text is None else text.encode()


def _array(params):
    params = params if isinstance(params, (list, tuple)) else [params]
    return (SamplingParams * len(params))(*params), c.c_size_t(len(params))
