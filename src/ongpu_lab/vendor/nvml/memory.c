/* Frame buffer, and the processes that hold it. */
#include "nvml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct memory {
    u64 total, free, used;
};

struct memory_v2 {
    unsigned version;
    u64 total, reserved, free, used;
};

/* The first version knows no reserve: it counts as used. */
NVML_API nvmlDeviceGetMemoryInfo(device gpu, struct memory *out)
{
    u64 reserved;
    CHECK_DEVICE(gpu);
    if (!nvml_known(lab_gpu_get(gpu, "memory", "")))
        return NOT_SUPPORTED;
    lab_memory(gpu, &out->total, &out->used, &reserved);
    out->used += reserved;
    out->free = out->total - out->used;
    return SUCCESS;
}

NVML_API nvmlDeviceGetMemoryInfo_v2(device gpu, struct memory_v2 *out)
{
    CHECK_DEVICE(gpu);
    if (!nvml_known(lab_gpu_get(gpu, "memory", "")))
        return NOT_SUPPORTED;
    lab_memory(gpu, &out->total, &out->used, &out->reserved);
    out->free = out->total - out->used - out->reserved;
    return SUCCESS;
}

NVML_API nvmlDeviceGetBAR1MemoryInfo(device gpu, struct memory *out)
{
    CHECK_DEVICE(gpu);
    out->total = 256ull << 20;
    out->used = 2ull << 20;
    out->free = out->total - out->used;
    return SUCCESS;
}

struct process_v1 {
    unsigned pid;
    u64 used;
};

struct process_v2 {
    unsigned pid;
    u64 used;
    unsigned gpu_instance, compute_instance;
};

#define NO_INSTANCE 0xffffffffu

__attribute__((visibility("hidden"))) u64 nvml_told(device gpu, u64 bytes)
{
    return strcmp(lab_gpu_get(gpu, "process_memory", ""), "unsupported") == 0 ? ~0ull : bytes;
}

/* `*count` is the room in `out` before, and the number of processes after. */
static result list(device gpu, unsigned *count, void *out, int first_version)
{
    struct lab_process found[LAB_MAX_PROCESSES];
    unsigned number = (unsigned)lab_processes(gpu, found, LAB_MAX_PROCESSES);
    int fits = number <= *count && (out || number == 0);
    *count = number;
    if (!fits)
        return INSUFFICIENT_SIZE;
    for (unsigned i = 0; i < number; i++) {
        if (first_version)
            ((struct process_v1 *)out)[i] = (struct process_v1){found[i].pid, nvml_told(gpu, found[i].bytes)};
        else
            ((struct process_v2 *)out)[i] =
                (struct process_v2){found[i].pid, nvml_told(gpu, found[i].bytes), NO_INSTANCE, NO_INSTANCE};
    }
    return SUCCESS;
}

NVML_API nvmlDeviceGetComputeRunningProcesses_v3(device gpu, unsigned *count, void *out)
{
    CHECK_DEVICE(gpu);
    return list(gpu, count, out, 0);
}

NVML_API nvmlDeviceGetComputeRunningProcesses_v2(device gpu, unsigned *count, void *out)
{
    CHECK_DEVICE(gpu);
    return list(gpu, count, out, 0);
}

NVML_API nvmlDeviceGetComputeRunningProcesses(device gpu, unsigned *count, void *out)
{
    CHECK_DEVICE(gpu);
    return list(gpu, count, out, 1);
}

#define NO_PROCESSES(function)                                \
    NVML_API function(device gpu, unsigned *count, void *out) \
    {                                                         \
        (void)out;                                            \
        CHECK_DEVICE(gpu);                                    \
        *count = 0;                                           \
        return SUCCESS;                                       \
    }

NO_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3)
NO_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v2)
NO_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses)
NO_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v3)
NO_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v2)
NO_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses)

NVML_API nvmlSystemGetProcessName(unsigned pid, char *out, unsigned size)
{
    CHECK_SYSTEM();
    for (int index = 0; index < lab_gpu_count; index++) {
        struct lab_process found[LAB_MAX_PROCESSES];
        int count = lab_processes(&lab_gpus[index], found, LAB_MAX_PROCESSES);
        for (int i = 0; i < count; i++)
            if (found[i].pid == pid)
                return nvml_copy(out, size, found[i].name);
    }
    return NOT_FOUND;
}
