/* What a program in C does with the library: opens a device, selects, samples, gets errors.
 *
 * Run by c.rs with the name of a device whose memory is the host's, and "host" or "prepared": whether
 * to go through aikf_topk_select or through a prepared selection. */
#include <aikf_topk.h>

#include <stdio.h>
#include <string.h>

#define ROWS 2
#define N 6
#define K 3

static int faults = 0;

static void expect(int holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "not so: %s (last error: %s)\n", what, aikf_last_error());
        faults++;
    }
}

static void select_rows(aikf_runtime *runtime, int prepared) {
    const float rows[ROWS * N] = {0.5f, 2, -1, 2, 0, 7.5f, 3, 3, 3, 1, 1, 1};
    float values[ROWS * K];
    int64_t indices[ROWS * K];
    aikf_topk_options options = {.struct_size = sizeof options, .rows = ROWS, .n = N, .k = K};
    options.index = AIKF_INDEX_I64;
    aikf_status status;
    if (prepared) {
        aikf_topk *topk = NULL;
        expect(aikf_topk_prepare(runtime, &options, &topk) == AIKF_STATUS_OK, "it is prepared");
        expect(strstr(aikf_topk_explain(topk), "backend cpu") != NULL, "it explains itself");
        status = aikf_topk_run(topk, rows, NULL, values, indices, NULL);
        aikf_topk_free(topk);
    } else {
        status = aikf_topk_select(runtime, &options, rows, NULL, values, indices);
    }
    expect(status == AIKF_STATUS_OK, "it selects");
    const int64_t right[ROWS * K] = {5, 1, 3, 0, 1, 2};
    expect(memcmp(indices, right, sizeof right) == 0, "the indices are right");
    expect(values[0] == 7.5f && values[1] == 2 && values[5] == 3, "the values are right");
}

static void sample_rows(aikf_runtime *runtime) {
    const uint16_t rows[N] = {0, 0x4000, 0x4400, 0xc000, 0x4400, 0}; /* 0, 2, 4, -2, 4, 0 */
    uint32_t token = 99, row_status = 99;
    aikf_sampling_params params = aikf_sampling_params_default();
    params.temperature = 0;
    aikf_sampler_options options = {.struct_size = sizeof options, .rows = 1, .n = N};
    options.dtype = AIKF_DTYPE_F16;
    aikf_sample_call call = {.struct_size = sizeof call, .input = rows};
    call.tokens = &token;
    call.status = &row_status;
    aikf_status status = aikf_sampler_sample(runtime, &options, &params, 1, &call);
    expect(status == AIKF_STATUS_OK, "it samples");
    expect(token == 2 && row_status == AIKF_ROW_STATUS_OK, "the token is right");
}

static void fail_well(aikf_runtime *runtime) {
    aikf_topk_options options = {.struct_size = sizeof options, .rows = 1, .n = 5, .k = 9};
    aikf_topk *topk = NULL;
    aikf_status status = aikf_topk_prepare(runtime, &options, &topk);
    expect(status == AIKF_STATUS_PROBLEM && topk == NULL, "a k above n is refused");
    expect(strstr(aikf_last_error(), "n = 5") != NULL, "the message has the limit");
    aikf_runtime *other = runtime;
    status = aikf_runtime_open("abacus", &other);
    expect(status == AIKF_STATUS_INVALID_ARGUMENT && other == NULL, "there is no abacus");
}

int main(int count, char **arguments) {
    expect(count == 3, "there are two arguments");
    expect(aikf_abi_version() == AIKF_ABI_VERSION, "header and library agree");
    aikf_runtime *runtime = NULL;
    expect(aikf_runtime_open(arguments[1], &runtime) == AIKF_STATUS_OK, "it opens");
    expect(strcmp(aikf_runtime_device(runtime), arguments[1]) == 0, "it says what it opened");
    select_rows(runtime, strcmp(arguments[2], "prepared") == 0);
    sample_rows(runtime);
    fail_well(runtime);
    aikf_runtime_close(runtime);
    printf("%s, %s: %d faults\n", arguments[1], arguments[2], faults);
    return faults != 0;
}
