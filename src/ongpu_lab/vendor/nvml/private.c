/* The private function table that the real nvidia-smi asks for.
 *
 * The table's GUID, its size word and the meaning of the slots were learnt from NVIDIA/k8s-test-infra
 * (pkg/gpu/mocknvml) and checked by tracing nvidia-smi 535 and 550. build.py writes slots.c: 512 functions that
 * pass their own number on to nvml_slot().
 */
#include "nvml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 512
#define TABLE_BYTES 0x1000 /* nvidia-smi wants more than 648 */
#define SLOT_HANDLE_BY_INDEX 81
#define SLOT_COMPUTE_PROCESSES 213
#define SLOT_HOST_PCIE_GENERATION 230
#define SMALLEST_POINTER 65536

extern void *const nvml_slots[SLOTS]; /* in slots.c */

struct smi_process {
    unsigned pid;
    unsigned padding;
    u64 bytes;
    unsigned gpu_instance, compute_instance;
    char unused[8];
    char name[4096];
};

_Static_assert(sizeof(struct smi_process) == 4128, "nvidia-smi's stride");

static result list_processes(device gpu, unsigned *count, struct smi_process *out)
{
    struct lab_process found[LAB_MAX_PROCESSES];
    unsigned room = *count;
    unsigned number = (unsigned)lab_processes(gpu, found, LAB_MAX_PROCESSES);
    if (number > room)
        number = room;
    for (unsigned i = 0; i < number; i++) {
        memset(&out[i], 0, sizeof out[i]);
        out[i].pid = found[i].pid;
        out[i].bytes = nvml_told(gpu, found[i].bytes);
        out[i].gpu_instance = out[i].compute_instance = 0xffffffffu;
        snprintf(out[i].name, sizeof out[i].name, "%s", found[i].name);
    }
    *count = number;
    return SUCCESS;
}

/* Unknown slots succeed and leave a count of zero, or nvidia-smi shows processes that are not there. Some slots
 * take a small integer as their second argument: nothing may be written through it. */
__attribute__((visibility("hidden"))) result nvml_slot(int slot, void *first, void *second, void *third)
{
    nvml_trace("slot", nvml_is_device(first) ? "device" : "", slot);
    if (slot == SLOT_HANDLE_BY_INDEX && (size_t)first < LAB_MAX_GPUS && second)
        return nvmlDeviceGetHandleByIndex_v2((unsigned)(size_t)first, second);
    if (!nvml_is_device(first))
        return SUCCESS;
    if ((size_t)second < SMALLEST_POINTER)
        return NOT_SUPPORTED;
    unsigned *number = second;
    if (slot == SLOT_COMPUTE_PROCESSES && third && *number && *number < 65536)
        return list_processes(first, number, third);
    if (slot == SLOT_HOST_PCIE_GENERATION) {
        *number = (unsigned)atoi(lab_gpu_get(first, "pcie_max_gen", "4"));
        return SUCCESS;
    }
    *number = 0;
    return SUCCESS;
}

/* Export table 6c3efec4-8fc9-4e6c-a327-ee696e12f7c4; the first word is its size. */
NVML_API nvmlInternalGetExportTable(const void **table, const unsigned char *guid)
{
    static const unsigned char known[16] = {0xc4, 0xfe, 0x3e, 0x6c, 0xc9, 0x8f, 0x6c, 0x4e,
                                            0xa3, 0x27, 0xee, 0x69, 0x6e, 0x12, 0xf7, 0xc4};
    static const void *entries[SLOTS];
    if (!guid || memcmp(guid, known, sizeof known) != 0)
        return NOT_SUPPORTED;
    entries[0] = (const void *)TABLE_BYTES;
    for (int i = 1; i < SLOTS; i++)
        entries[i] = nvml_slots[i];
    *table = entries;
    return SUCCESS;
}
