/* The C interface of aikf-topk: top-k selection and token sampling on NVIDIA GPUs.
 *
 * Made from capi/src by `cargo xtask header`; changes here are lost. How to use it: docs/c-abi.md.
 *
 * Functions return an aikf_status; aikf_last_error has the message. Handles are made by *_open and
 * *_prepare and given back to *_close and *_free. Nothing else has a state, and nothing panics, exits
 * or throws. Structs whose first field is struct_size are to be zeroed but for what is set:
 *
 *     aikf_topk_options options = {.struct_size = sizeof options, .rows = 8, .n = 50000, .k = 50};
 */

#ifndef AIKF_TOPK_H
#define AIKF_TOPK_H

#include <stddef.h>
#include <stdint.h>

// The version of this interface. It changes where a program made for an older one would break.
#define AIKF_ABI_VERSION 1

// What functions return. A number keeps its meaning for ever; numbers may be added, so treat one
// that you do not know as a failure. `aikf_last_error` has the message.
typedef enum {
    // It was done, or enqueued.
    AIKF_STATUS_OK = 0,
    // A pointer is null that must not be.
    AIKF_STATUS_NULL_POINTER = 1,
    // An argument is none of the values that it may have.
    AIKF_STATUS_INVALID_ARGUMENT = 2,
    // The problem is not one: k above n, a stride below n, sizes that overflow.
    AIKF_STATUS_PROBLEM = 3,
    // A parameter of sampling has a value that it cannot have.
    AIKF_STATUS_PARAMETER = 4,
    // A knob, a backend or an environment variable has a value that it cannot have.
    AIKF_STATUS_SETTING = 5,
    // A right problem that this backend cannot do on this device.
    AIKF_STATUS_UNSUPPORTED = 6,
    // A backend that is not in this build, or a call that it does not take.
    AIKF_STATUS_REFUSED = 7,
    // A buffer is too small or missing.
    AIKF_STATUS_BUFFER = 8,
    // The device or the driver is not there.
    AIKF_STATUS_NO_DEVICE = 9,
    // It needs a GPU, and the runtime has none.
    AIKF_STATUS_NO_GPU = 10,
    // LibTorch failed.
    AIKF_STATUS_TORCH = 11,
    // The CUDA driver refused a call.
    AIKF_STATUS_DRIVER = 12,
    // A fault of the library. Free the handles that the call had, and report the message.
    AIKF_STATUS_PANIC = 13,
    // Any other error of the library.
    AIKF_STATUS_OTHER = 14,
} aikf_status;

// The type of the rows' elements.
typedef enum {
    // `float`.
    AIKF_DTYPE_F32 = 0,
    // IEEE's 16-bit float.
    AIKF_DTYPE_F16 = 1,
    // bfloat16.
    AIKF_DTYPE_BF16 = 2,
} aikf_dtype;

// The type of indices.
typedef enum {
    // `uint32_t`; no index is `UINT32_MAX`, which is -1 to those who read `int32_t`.
    AIKF_INDEX_U32 = 0,
    // `int64_t`, as PyTorch has them; no index is -1.
    AIKF_INDEX_I64 = 1,
} aikf_index;

// The order of the filters.
typedef enum {
    // HuggingFace's: penalties, bias, temperature, top-k, top-p, min-p.
    AIKF_FILTER_ORDER_HUGGING_FACE = 0,
    // vLLM's: bias, penalties, temperature, min-p, top-k, top-p.
    AIKF_FILTER_ORDER_VLLM = 1,
    // llama.cpp's: bias, penalties, top-k, top-p, min-p, temperature.
    AIKF_FILTER_ORDER_LLAMA_CPP = 2,
} aikf_filter_order;

// What logarithms of probabilities are taken of.
typedef enum {
    // None are wanted.
    AIKF_LOGPROBS_NONE = 0,
    // The softmax of the row as it came.
    AIKF_LOGPROBS_RAW = 1,
    // What the draw is made from; -inf for what the filters turned away.
    AIKF_LOGPROBS_PROCESSED = 2,
} aikf_logprobs;

// What became of a row, as a run writes it.
typedef enum {
    // A token was drawn.
    AIKF_ROW_STATUS_OK = 0,
    // A token was drawn; some logit was a NaN, and counted as masked.
    AIKF_ROW_STATUS_NAN_SEEN = 1,
    // There is no token that may be drawn; its place holds `UINT32_MAX`.
    AIKF_ROW_STATUS_ALL_MASKED = 2,
} aikf_row_status;

// An open device. Threads may share it.
typedef struct aikf_runtime aikf_runtime;

// Draws of one shape, prepared. One thread at a time may use it, and one run may be in flight: the
// next goes on the same stream or behind it.
typedef struct aikf_sampler aikf_sampler;

// Selections of one shape, prepared. One thread at a time may use it, and one run may be in
// flight: the next goes on the same stream or behind it.
typedef struct aikf_topk aikf_topk;

// What is wanted of a selection. Zero is the default of every field from `row_stride` on, but for
// `k`.
typedef struct {
    // `sizeof(aikf_topk_options)`.
    size_t struct_size;
    // Rows.
    size_t rows;
    // Elements in a row, below 2^31.
    size_t n;
    // Elements from one row's start to the next; 0 stands for `n`.
    size_t row_stride;
    // Wanted elements a row, 1 to `n`.
    size_t k;
    // The elements' type, an `aikf_dtype`.
    uint32_t dtype;
    // The indices' type, an `aikf_index`.
    uint32_t index;
    // 1 for the smallest, 0 for the greatest. NaN is the greatest in both.
    uint32_t smallest;
    // 1 spares the order of the answer: the same elements in an order that depends on `k` alone.
    uint32_t unsorted;
    // "auto", "singlepass", "stream", "streaming", "radix", "torch" or "cpu"; NULL is what the
    // environment says (AIKF_TOPK_IMPL), else "auto".
    const char *backend;
    // Tuning knobs, such as "stage1_warps=8,stage2_tile=512"; NULL for none. They change speed,
    // never an answer.
    const char *knobs;
} aikf_topk_options;

// What is wanted of sampling. Zero is the default of every field from `row_stride` on.
typedef struct {
    // `sizeof(aikf_sampler_options)`.
    size_t struct_size;
    // Rows.
    size_t rows;
    // Tokens in a row, below 2^31.
    size_t n;
    // Elements from one row's start to the next; 0 stands for `n`.
    size_t row_stride;
    // Draws a row, at most 1024; 0 stands for 1.
    size_t num_samples;
    // Best tokens of each row whose logarithms are told, at most 1024; with `logprobs`.
    size_t top_logprobs;
    // The elements' type, an `aikf_dtype`.
    uint32_t dtype;
    // The order of the filters, an `aikf_filter_order`.
    uint32_t order;
    // What logarithms are taken of, an `aikf_logprobs`.
    uint32_t logprobs;
    // 1 where no token may be drawn twice from a row.
    uint32_t without_replacement;
    // 1 where runs come with histories, biases or a mask.
    uint32_t adjusted;
    // 0.
    uint32_t reserved;
    // Tuning knobs, such as "stage1_warps=8"; NULL for none. They change speed, never a token.
    const char *knobs;
} aikf_sampler_options;

// How one row is sampled. `aikf_sampling_params_default` gives one that filters nothing.
typedef struct {
    // The key of the row's random words, with `has_seed`.
    uint64_t seed;
    // The draw's place in the row's words: a decode loop counts it up.
    uint64_t position;
    // How many tokens are kept, the best first; 0 and -1 keep all.
    int64_t top_k;
    // What logits are divided by; finite, at least 0; below 1e-5 the greatest logit is taken.
    float temperature;
    // The share of the mass that the kept tokens, best first, must reach; above 0, at most 1.
    float top_p;
    // The least probability that is kept, as a share of the greatest; 0 to 1.
    float min_p;
    // Divides positive logits of tokens that occurred, multiplies negative ones; above 0.
    float repetition_penalty;
    // Taken off for each time that a token was generated; -2 to 2.
    float frequency_penalty;
    // Taken off where a token was generated; -2 to 2.
    float presence_penalty;
    // 1 where `seed` counts; 0 for a seed of the system's, another for each row: drawn once when a
    // sampler is prepared for a GPU, and at every run on the host's cores.
    uint32_t has_seed;
    // 0.
    uint32_t reserved;
} aikf_sampling_params;

// The pointers of a run: addresses in the GPU's memory, or the host's where the runtime is on its
// cores. `input`, `tokens` and `status` must be there; NULL stands for what is not.
typedef struct {
    // `sizeof(aikf_sample_call)`.
    size_t struct_size;
    // The logits, `[rows, n]`.
    const void *input;
    // The rows' lengths, `[rows]`, each at most `n`.
    const uint32_t *lengths;
    // The rows' seeds, `[rows]`, in place of those of the parameters.
    const uint64_t *seeds;
    // The rows' positions, `[rows]`, in place of those of the parameters: read when the stream
    // gets there, so that a replayed graph draws anew.
    const uint64_t *positions;
    // Room for the tokens, `[rows, num_samples]`.
    uint32_t *tokens;
    // Room for an `aikf_row_status` a row, `[rows]`.
    uint32_t *status;
    // Room for the tokens' logarithms, `[rows, num_samples]`; with `options.logprobs`.
    float *logprobs;
    // Room for the tokens' ranks, `[rows, num_samples]`; with `options.logprobs`.
    uint32_t *ranks;
    // Room for the best tokens, `[rows, top_logprobs]`; with `options.logprobs`.
    uint32_t *top_tokens;
    // Room for their logarithms, `[rows, top_logprobs]`; with `options.logprobs`.
    float *top_logprobs;
    // A word for each token, `[rows, n]`: how often it was generated, and bit 31 where it is in
    // the prompt; with `options.adjusted`. In the host's memory the counts of a call are together
    // at most 2^26.
    const uint32_t *histories;
    // Where each row's biases start, `[rows + 1]`; with `options.adjusted`, and with the next two.
    const uint32_t *bias_starts;
    // The tokens of the biases, each once in its row.
    const uint32_t *bias_tokens;
    // What is added to their logits; -inf bans a token.
    const float *bias_values;
    // A bit for each token that may be drawn, `[rows, (n + 31) / 32]`: token `t` is bit `t % 32`
    // of its row's word `t / 32`; with `options.adjusted`.
    const uint32_t *allowed;
} aikf_sample_call;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The version of this interface that the library has: compare it with `AIKF_ABI_VERSION`, which is
// the header's.
uint32_t aikf_abi_version(void);

// The library's version, such as "0.1.0". It lives as long as the program.
const char *aikf_version(void);

// The message of the call that failed last on this thread; empty where none did. It says what was
// given, what is allowed and what to do next. It lives until the next call that fails on this
// thread; a call that succeeds leaves it alone.
const char *aikf_last_error(void);

// Opens a device: "cuda" or "cuda:0" for the first GPU, "cuda:1" for the next, "cpu" for the
// host's cores, "emulator" for the GPU's code path on them (in builds that have it), "auto" for
// the first GPU or else the host's cores. NULL is what the environment says: AIKF_DEVICE, else
// "auto".
//
// On a GPU it uses the primary context, as PyTorch and CUDA's runtime do, so that their addresses
// and streams are this library's too. It makes that context current on the calling thread, as do
// the functions that prepare and run.
//
// # Safety
// `device` is NULL or a text that ends in a zero byte; `runtime` has room for a pointer.
aikf_status aikf_runtime_open(const char *device,
                              aikf_runtime **runtime);

// What was opened, such as "cuda:0"; never "auto". It lives as long as the runtime. NULL where
// `runtime` is.
//
// # Safety
// `runtime` is NULL or open.
const char *aikf_runtime_device(const aikf_runtime *runtime);

// Closes a device. What was prepared on it keeps it open until it is freed. NULL is left alone.
//
// # Safety
// `runtime` is NULL or open, and not used again.
void aikf_runtime_close(aikf_runtime *runtime);

// How many bytes of workspace the selection needs in the device's memory; 0 on the host's cores.
// It follows from the arguments alone, and nothing is launched.
//
// # Safety
// The pointers are NULL or live.
aikf_status aikf_topk_workspace_bytes(const aikf_runtime *runtime,
                                      const aikf_topk_options *options,
                                      size_t *bytes);

// Prepares a selection: plans it, loads its kernels, allocates its workspace, which the handle
// owns. Nothing of that is done again when it is run.
//
// # Safety
// The pointers are NULL or live.
aikf_status aikf_topk_prepare(const aikf_runtime *runtime,
                              const aikf_topk_options *options,
                              aikf_topk **topk);

// As `aikf_topk_prepare`, in a workspace of the caller's: `bytes` bytes of the device's memory, at
// least as many as `aikf_topk_workspace_bytes` says, aligned to 8. A part of it is cleared before
// this returns; it needs no clearing between runs. On the host's cores there is none, and it is
// left alone.
//
// # Safety
// The pointers are NULL or live; the workspace outlives the handle, nothing else writes it, and no
// other handle that uses it is in flight, or was since.
aikf_status aikf_topk_prepare_in(const aikf_runtime *runtime,
                                 const aikf_topk_options *options,
                                 void *workspace,
                                 size_t bytes,
                                 aikf_topk **topk);

// Runs a selection. On a GPU the pointers are addresses in its memory, and `stream` is a
// `CUstream` or `cudaStream_t` of it, NULL being the default stream: the launches are enqueued
// there, without allocation or synchronisation (but by backend "torch"), and may be captured in a
// graph. On the host's cores the pointers are the host's, `stream` is NULL, and the answer is
// there when this returns.
//
// - `input`: the rows;
// - `lengths`: how many elements of each row are there, `rows` numbers, at most `n` each; NULL
//   where all are. Places for which a row has no element get -inf (+inf for the smallest) and no
//   index;
// - `values`, `indices`: room for `rows * k` of each, best first.
//
// # Safety
// The pointers are NULL or have what the options say, aligned for their types; until the stream
// has passed this run they stay, nothing else writes the inputs or touches the outputs, and the
// handle lives. The stream is live and of this GPU.
aikf_status aikf_topk_run(aikf_topk *topk,
                          const void *input,
                          const uint32_t *lengths,
                          void *values,
                          void *indices,
                          void *stream);

// What a prepared selection runs and why so, in lines of English for people to read. It lives as
// long as the handle. NULL where `topk` is.
//
// # Safety
// `topk` is NULL or prepared.
const char *aikf_topk_explain(const aikf_topk *topk);

// Frees a prepared selection, and its workspace if it owns it. NULL is left alone.
//
// # Safety
// `topk` is NULL or prepared, is not used again, and no run of it is in flight.
void aikf_topk_free(aikf_topk *topk);

// Selects from rows in the host's memory on whatever device, and waits for the answer. On a GPU
// the rows travel there and the answer back: for few calls, and for tests. The pointers are as for
// `aikf_topk_run` on the host's cores.
//
// # Safety
// The pointers are NULL or have what the options say.
aikf_status aikf_topk_select(const aikf_runtime *runtime,
                             const aikf_topk_options *options,
                             const void *input,
                             const uint32_t *lengths,
                             void *values,
                             void *indices);

// How many bytes of workspace a sampler needs in the device's memory; 0 on the host's cores.
//
// # Safety
// The pointers are NULL or live, `params` with `params_count` entries.
aikf_status aikf_sampler_workspace_bytes(const aikf_runtime *runtime,
                                         const aikf_sampler_options *options,
                                         const aikf_sampling_params *params,
                                         size_t params_count,
                                         size_t *bytes);

// Prepares a sampler: plans it, loads its kernels, allocates its workspace, which the handle owns,
// and sends the parameters to the device. Nothing of that is done again when it is run.
//
// - `params`: `params_count` entries, one for each row, or one for all.
//
// # Safety
// The pointers are NULL or live, `params` with `params_count` entries.
aikf_status aikf_sampler_prepare(const aikf_runtime *runtime,
                                 const aikf_sampler_options *options,
                                 const aikf_sampling_params *params,
                                 size_t params_count,
                                 aikf_sampler **sampler);

// As `aikf_sampler_prepare`, in a workspace of the caller's: `bytes` bytes of the device's memory,
// at least as many as `aikf_sampler_workspace_bytes` says, aligned to 8. A part of it is cleared
// before this returns; it needs no clearing between runs. The parameters lie in memory of the
// handle's own. On the host's cores there is no workspace, and it is left alone.
//
// # Safety
// The pointers are NULL or live, `params` with `params_count` entries; the workspace outlives the
// handle, nothing else writes it, and no other handle that uses it is in flight, or was since.
aikf_status aikf_sampler_prepare_in(const aikf_runtime *runtime,
                                    const aikf_sampler_options *options,
                                    const aikf_sampling_params *params,
                                    size_t params_count,
                                    void *workspace,
                                    size_t bytes,
                                    aikf_sampler **sampler);

// Gives a sampler other parameters of the same kind, and waits until the device has them. A
// greater `top_k`, or rows that need launches which were not prepared, are refused. Runs that are
// in flight may see either.
//
// # Safety
// The pointers are NULL or live, `params` with `params_count` entries.
aikf_status aikf_sampler_set_params(aikf_sampler *sampler,
                                    const aikf_sampling_params *params,
                                    size_t params_count);

// Draws from every row. On a GPU the pointers of the call are addresses in its memory, and
// `stream` is a `CUstream` or `cudaStream_t` of it, NULL being the default stream: the launches
// are enqueued there, without allocation or synchronisation, and may be captured in a graph. On
// the host's cores the pointers are the host's, `stream` is NULL, and the tokens are there when
// this returns.
//
// A draw is a function of seed, position, sample number, the row and its parameters alone: the
// same on every device, in any batch, at any place in it.
//
// # Safety
// The pointers are NULL or have what options and call say, aligned for their types; until the
// stream has passed this run they stay (`call` itself need not), nothing else writes the inputs or
// touches the outputs, and the handle lives. The stream is live and of this GPU.
aikf_status aikf_sampler_run(aikf_sampler *sampler,
                             const aikf_sample_call *call,
                             void *stream);

// What a prepared sampler runs and why so, in lines of English for people to read. It lives as
// long as the handle. NULL where `sampler` is.
//
// # Safety
// `sampler` is NULL or prepared.
const char *aikf_sampler_explain(const aikf_sampler *sampler);

// Frees a prepared sampler, and its workspace unless it was lent. NULL is left alone.
//
// # Safety
// `sampler` is NULL or prepared, is not used again, and no run of it is in flight.
void aikf_sampler_free(aikf_sampler *sampler);

// Draws from rows in the host's memory on whatever device, and waits for the tokens. On a GPU the
// rows travel there and the answer back: for few calls, and for tests. The pointers of the call
// are the host's.
//
// # Safety
// The pointers are NULL or have what options and call say.
aikf_status aikf_sampler_sample(const aikf_runtime *runtime,
                                const aikf_sampler_options *options,
                                const aikf_sampling_params *params,
                                size_t params_count,
                                const aikf_sample_call *call);

// Parameters that filter nothing and draw from the softmax of the logits, with the system's seed.
aikf_sampling_params aikf_sampling_params_default(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* AIKF_TOPK_H */
