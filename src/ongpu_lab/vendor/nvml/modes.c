/* Modes, ECC and row remapping. */
#include "nvml.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

DEVICE_UINT(nvmlDeviceGetPersistenceMode, "persistence", "0")
DEVICE_UINT(nvmlDeviceGetDisplayMode, "display", "0")
DEVICE_UINT(nvmlDeviceGetDisplayActive, "display_active", "0")
DEVICE_UINT(nvmlDeviceGetComputeMode, "compute_mode", "0")
DEVICE_UINT(nvmlDeviceGetAccountingMode, "accounting", "0")
DEVICE_UINT(nvmlDeviceGetAccountingBufferSize, "accounting_size", "4000")
DEVICE_UINT(nvmlDeviceGetMaxMigDeviceCount, "mig_max", "0")
DEVICE_UINT(nvmlDeviceGetVirtualizationMode, "virtualization", "0")
DEVICE_UINT(nvmlDeviceGetPowerManagementMode, "power_mode", "1")
DEVICE_PAIR(nvmlDeviceGetMigMode, "mig", "unsupported")
DEVICE_PAIR(nvmlDeviceGetGspFirmwareMode, "gsp", "1,1")

NVML_API nvmlDeviceIsMigDeviceHandle(device gpu, unsigned *out)
{
    CHECK_DEVICE(gpu);
    *out = 0;
    return SUCCESS;
}

NVML_API nvmlDeviceGetGspFirmwareVersion(device gpu, char *out)
{
    CHECK_DEVICE(gpu);
    return nvml_copy(out, 80, nvml_driver_version);
}

/* fabric = STATE[,STATUS]: 0 no fabric, 1 not started, 2 in progress, 3 completed; the status is an NVML code.
 * Without a value a GPU belongs to no NVSwitch fabric. */
struct fabric_info {
    unsigned char cluster[16];
    result status;
    unsigned clique;
    unsigned char state;
};

NVML_API nvmlDeviceGetGpuFabricInfo(device gpu, struct fabric_info *out)
{
    unsigned state = 0, status = 0;
    CHECK_DEVICE(gpu);
    const char *value = lab_fabric(gpu);
    sscanf(value, "%u,%u", &state, &status);
    *out = (struct fabric_info){.status = (result)status, .state = (unsigned char)state};
    return SUCCESS;
}

struct fabric_info_v {
    unsigned version;
    unsigned char cluster[16];
    result status;
    unsigned clique;
    unsigned char state;
    unsigned health;
};

NVML_API nvmlDeviceGetGpuFabricInfoV(device gpu, struct fabric_info_v *out)
{
    struct fabric_info info;
    result code = nvmlDeviceGetGpuFabricInfo(gpu, &info);
    if (code)
        return code;
    out->status = info.status;
    out->state = info.state;
    out->clique = 0;
    return SUCCESS;
}

static result set(device gpu, const char *key, unsigned value)
{
    char text[16];
    snprintf(text, sizeof text, "%u", value);
    return lab_gpu_set(gpu, key, text) ? SUCCESS : NO_PERMISSION;
}

NVML_API nvmlDeviceSetPersistenceMode(device gpu, unsigned mode)
{
    CHECK_DEVICE(gpu);
    return set(gpu, "persistence", mode);
}

NVML_API nvmlDeviceSetComputeMode(device gpu, unsigned mode)
{
    CHECK_DEVICE(gpu);
    return set(gpu, "compute_mode", mode);
}

/* A GPU in use keeps its mode until it is reset: the new one is pending, and `*activation` says why. */
NVML_API nvmlDeviceSetMigMode(device gpu, unsigned mode, result *activation)
{
    unsigned current = 0, pending = 0;
    char text[16];
    CHECK_DEVICE(gpu);
    if (nvml_pair(lab_gpu_get(gpu, "mig", "unsupported"), &current, &pending))
        return NOT_SUPPORTED;
    *activation = current != mode && lab_gpu_in_use(gpu) ? IN_USE : SUCCESS;
    snprintf(text, sizeof text, "%u,%u", *activation ? current : mode, mode);
    return lab_gpu_set(gpu, "mig", text) ? SUCCESS : NO_PERMISSION;
}

/* What `nvidia-smi -r` does by functions that are not public: what the GPU waited for happens, what was set is lost. */
NVML_API nvmlLabReset(device gpu, unsigned unused)
{
    static const char *const lost[] = {"recovery_action", "remapped_rows", "power_limit_mw", "locked_clock_min",
                                       "locked_clock_max", "locked_memory_clock"};
    unsigned current = 0, pending = 0;
    char text[16];
    (void)unused;
    CHECK_DEVICE(gpu);
    if (geteuid() != 0)
        return NO_PERMISSION;
    if (lab_gpu_in_use(gpu))
        return IN_USE;
    if (nvml_pair(lab_gpu_get(gpu, "mig", "unsupported"), &current, &pending) == SUCCESS && current != pending) {
        snprintf(text, sizeof text, "%u,%u", pending, pending);
        lab_gpu_set(gpu, "mig", text);
    }
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++)
        lab_gpu_unset(gpu, lost[i]);
    return SUCCESS;
}

NVML_API nvmlDeviceSetPowerManagementLimit(device gpu, unsigned milliwatts)
{
    unsigned lowest = 0, highest = 0;
    CHECK_DEVICE(gpu);
    if (nvml_pair(lab_gpu_get(gpu, "power_range_mw", "100000,300000"), &lowest, &highest))
        return NOT_SUPPORTED;
    if (milliwatts < lowest || milliwatts > highest)
        return INVALID_ARGUMENT;
    return set(gpu, "power_limit_mw", milliwatts);
}

struct power_value {
    unsigned version;
    unsigned char scope; /* 0 = the GPU */
    unsigned milliwatts;
};

NVML_API nvmlDeviceSetPowerManagementLimit_v2(device gpu, const struct power_value *value)
{
    if (value->scope)
        return NOT_SUPPORTED;
    return nvmlDeviceSetPowerManagementLimit(gpu, value->milliwatts);
}

/* Locked clocks can be set but, as with the real library, not read back. */
NVML_API nvmlDeviceSetGpuLockedClocks(device gpu, unsigned lowest, unsigned highest)
{
    CHECK_DEVICE(gpu);
    if (lowest > highest)
        return INVALID_ARGUMENT;
    result code = set(gpu, "locked_clock_min", lowest);
    return code ? code : set(gpu, "locked_clock_max", highest);
}

NVML_API nvmlDeviceResetGpuLockedClocks(device gpu)
{
    return nvmlDeviceSetGpuLockedClocks(gpu, 0, 0);
}

NVML_API nvmlDeviceSetMemoryLockedClocks(device gpu, unsigned lowest, unsigned highest)
{
    (void)lowest;
    CHECK_DEVICE(gpu);
    return set(gpu, "locked_memory_clock", highest);
}

NVML_API nvmlDeviceResetMemoryLockedClocks(device gpu)
{
    return nvmlDeviceSetMemoryLockedClocks(gpu, 0, 0);
}

/* ecc = CURRENT[,PENDING]. What is set is pending until the next boot, and is kept in the GPU (LAB_STORE). */
NVML_API nvmlDeviceGetEccMode(device gpu, unsigned *current, unsigned *pending)
{
    char kept[16];
    CHECK_DEVICE(gpu);
    result code = nvml_pair(lab_gpu_get(gpu, "ecc", "unsupported"), current, pending);
    if (code == SUCCESS && lab_kept(gpu, "ecc", kept, sizeof kept))
        *current = *kept == '1';
    if (code == SUCCESS && lab_kept(gpu, "ecc_pending", kept, sizeof kept))
        *pending = *kept == '1';
    else if (code == SUCCESS && lab_kept(gpu, "ecc", kept, sizeof kept))
        *pending = *current;
    return code;
}

NVML_API nvmlDeviceSetEccMode(device gpu, unsigned mode)
{
    CHECK_DEVICE(gpu);
    if (!nvml_known(lab_gpu_get(gpu, "ecc", "unsupported")))
        return NOT_SUPPORTED;
    return lab_keep(gpu, "ecc_pending", mode ? "1" : "0") ? SUCCESS : NO_PERMISSION;
}

static int has_ecc(device gpu)
{
    return nvml_known(lab_gpu_get(gpu, "ecc", "unsupported"));
}

/* type 0 = corrected, 1 = uncorrected; the lab counts the same since boot and in all. */
NVML_API nvmlDeviceGetTotalEccErrors(device gpu, int type, int counter, u64 *out)
{
    (void)counter;
    CHECK_DEVICE(gpu);
    if (!has_ecc(gpu))
        return NOT_SUPPORTED;
    *out = strtoull(lab_gpu_get(gpu, type ? "ecc_uncorrected" : "ecc_corrected", "0"), NULL, 0);
    return SUCCESS;
}

NVML_API nvmlDeviceGetMemoryErrorCounter(device gpu, int type, int counter, int location, u64 *out)
{
    (void)type;
    (void)counter;
    (void)location;
    CHECK_DEVICE(gpu);
    if (!has_ecc(gpu))
        return NOT_SUPPORTED;
    *out = 0;
    return SUCCESS;
}

/* remapped_rows = CORRECTABLE,UNCORRECTABLE,PENDING,FAILURE */
NVML_API nvmlDeviceGetRemappedRows(device gpu, unsigned *correctable, unsigned *uncorrectable, unsigned *pending,
                                   unsigned *failure)
{
    CHECK_DEVICE(gpu);
    const char *value = lab_gpu_get(gpu, "remapped_rows", "unsupported");
    if (!nvml_known(value))
        return NOT_SUPPORTED;
    *correctable = *uncorrectable = *pending = *failure = 0;
    sscanf(value, "%u,%u,%u,%u", correctable, uncorrectable, pending, failure);
    return SUCCESS;
}
