/* Library start, versions, finding devices. */
#include "nvml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int initialized;

void nvml_trace(const char *function, const char *detail, int number)
{
    if (getenv("ONGPU_LAB_DEBUG"))
        fprintf(stderr, "[nvml] %s(%s) %d\n", function, detail, number);
}

int nvml_known(const char *value)
{
    return value && strcmp(value, "unsupported") != 0;
}

int nvml_is_device(const void *pointer)
{
    const char *start = (const char *)lab_gpus, *here = pointer;
    return here >= start && here < start + sizeof lab_gpus && (size_t)(here - start) % sizeof *lab_gpus == 0;
}

result nvml_copy(char *out, unsigned size, const char *text)
{
    if (!nvml_known(text))
        return NOT_SUPPORTED;
    if (strlen(text) + 1 > size)
        return INSUFFICIENT_SIZE;
    strcpy(out, text);
    return SUCCESS;
}

result nvml_pair(const char *value, unsigned *first, unsigned *second)
{
    if (!nvml_known(value))
        return NOT_SUPPORTED;
    *first = *second = 0;
    if (sscanf(value, "%u,%u", first, second) == 1)
        *second = *first;
    return SUCCESS;
}

static result injected(const char *section, const char *function)
{
    char key[96];
    snprintf(key, sizeof key, "error.%s", function);
    const char *value = lab_get(section, key, 0);
    return value ? atoi(value) : SUCCESS;
}

result nvml_check_system(const char *function)
{
    if (!initialized)
        return UNINITIALIZED;
    result code = injected("driver", function);
    nvml_trace(function, "", code);
    return code;
}

result nvml_check_device(device gpu, const char *function)
{
    if (!initialized)
        return UNINITIALIZED;
    if (!nvml_is_device(gpu))
        return INVALID_ARGUMENT;
    result code = injected(gpu->section, function);
    if (!code)
        code = injected("defaults", function);
    const char *all = lab_gpu_get(gpu, "error", NULL);
    if (!code && all)
        code = atoi(all);
    nvml_trace(function, gpu->section, code);
    return code;
}

/* The order of the real library: is a driver there, does its version fit, may this user talk to it. */
NVML_API nvmlInitWithFlags(unsigned flags)
{
    (void)flags;
    char loaded[64];
    int configured = lab_load();
    int control = lab_node("nvidiactl", 255);
    if (!configured || !lab_module_version(loaded, sizeof loaded) || control == ENOENT)
        return DRIVER_NOT_LOADED;
    result code = injected("driver", "nvmlInit");
    if (code)
        return code;
    if (strcmp(loaded, nvml_driver_version) != 0) {
        lab_report_mismatch(nvml_driver_version, loaded);
        return VERSION_MISMATCH;
    }
    if (control)
        return NO_PERMISSION;
    initialized++;
    return SUCCESS;
}

NVML_API nvmlInit_v2(void)
{
    return nvmlInitWithFlags(0);
}

NVML_API nvmlInit(void)
{
    return nvmlInitWithFlags(0);
}

NVML_API nvmlShutdown(void)
{
    if (!initialized)
        return UNINITIALIZED;
    initialized--;
    return SUCCESS;
}

__attribute__((visibility("default"))) const char *nvmlErrorString(result code)
{
    switch (code) {
    case 0: return "Success";
    case 1: return "Uninitialized";
    case 2: return "Invalid Argument";
    case 3: return "Not Supported";
    case 4: return "Insufficient Permissions";
    case 5: return "Already Initialized";
    case 6: return "Not Found";
    case 7: return "Insufficient Size";
    case 8: return "Insufficient External Power";
    case 9: return "Driver Not Loaded";
    case 10: return "Timeout";
    case 11: return "Interrupt Request Issue";
    case 12: return "NVML Shared Library Not Found";
    case 13: return "Function Not Found";
    case 14: return "Corrupted infoROM";
    case 15: return "GPU is lost";
    case 16: return "GPU requires reset";
    case 17: return "GPU access blocked by the operating system";
    case 18: return "Driver/library version mismatch";
    case 19: return "In use by another client";
    case 20: return "Insufficient Memory";
    case 21: return "No data";
    default: return "Unknown Error";
    }
}

NVML_API nvmlSystemGetDriverVersion(char *out, unsigned size)
{
    CHECK_SYSTEM();
    return nvml_copy(out, size, nvml_driver_version);
}

/* Works before nvmlInit: nvidia-smi asks for it when the versions do not fit. */
NVML_API nvmlSystemGetNVMLVersion(char *out, unsigned size)
{
    char text[80];
    snprintf(text, sizeof text, "%d.%s", nvml_cuda_version / 1000, nvml_driver_version);
    return nvml_copy(out, size, text);
}

NVML_API nvmlSystemGetCudaDriverVersion_v2(int *out)
{
    CHECK_SYSTEM();
    *out = nvml_cuda_version;
    return SUCCESS;
}

NVML_API nvmlSystemGetCudaDriverVersion(int *out)
{
    return nvmlSystemGetCudaDriverVersion_v2(out);
}

/* Devices that the lab does not have: units (S-class enclosures), excluded devices, host interface cards. */
NVML_API nvmlUnitGetCount(unsigned *count)
{
    CHECK_SYSTEM();
    *count = 0;
    return SUCCESS;
}

NVML_API nvmlGetExcludedDeviceCount(unsigned *count)
{
    CHECK_SYSTEM();
    *count = 0;
    return SUCCESS;
}

NVML_API nvmlSystemGetHicVersion(unsigned *count, void *entries)
{
    (void)entries;
    CHECK_SYSTEM();
    *count = 0;
    return SUCCESS;
}

NVML_API nvmlDeviceGetCount_v2(unsigned *count)
{
    CHECK_SYSTEM();
    *count = (unsigned)lab_gpu_count;
    return SUCCESS;
}

NVML_API nvmlDeviceGetCount(unsigned *count)
{
    return nvmlDeviceGetCount_v2(count);
}

static result hand_out(unsigned index, device *gpu)
{
    char name[32];
    device found = &lab_gpus[index];
    result code = nvml_check_device(found, "nvmlDeviceGetHandleByIndex_v2");
    if (code)
        return code;
    snprintf(name, sizeof name, "nvidia%u", found->index);
    if (lab_node(name, (int)found->index))
        return NO_PERMISSION;
    *gpu = found;
    return SUCCESS;
}

NVML_API nvmlDeviceGetHandleByIndex_v2(unsigned index, device *gpu)
{
    CHECK_SYSTEM();
    if (index >= (unsigned)lab_gpu_count)
        return INVALID_ARGUMENT;
    return hand_out(index, gpu);
}

NVML_API nvmlDeviceGetHandleByIndex(unsigned index, device *gpu)
{
    return nvmlDeviceGetHandleByIndex_v2(index, gpu);
}

/* Equal, or one ends with the other: "0000:01:00.0" finds "00000000:01:00.0". */
static int matches(const char *have, const char *asked)
{
    size_t have_length = strlen(have), asked_length = strlen(asked);
    size_t shorter = have_length < asked_length ? have_length : asked_length;
    if (have_length != asked_length && shorter < 10)
        return 0;
    return !strcasecmp(have + have_length - shorter, asked + asked_length - shorter);
}

static result find(const char *key, const char *asked, device *gpu)
{
    for (int i = 0; i < lab_gpu_count; i++)
        if (matches(lab_gpu_get(&lab_gpus[i], key, ""), asked))
            return hand_out((unsigned)i, gpu);
    return NOT_FOUND;
}

NVML_API nvmlDeviceGetHandleByUUID(const char *uuid, device *gpu)
{
    CHECK_SYSTEM();
    return find("uuid", uuid, gpu);
}

NVML_API nvmlDeviceGetHandleBySerial(const char *serial, device *gpu)
{
    CHECK_SYSTEM();
    return find("serial", serial, gpu);
}

NVML_API nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, device *gpu)
{
    CHECK_SYSTEM();
    return find("bus_id", bus_id, gpu);
}

NVML_API nvmlDeviceGetHandleByPciBusId(const char *bus_id, device *gpu)
{
    CHECK_SYSTEM();
    return find("bus_id", bus_id, gpu);
}
