/* The stand-in libcuda.so.1: the part of the CUDA driver API that finds devices.
 *
 * It fails where the real one fails on a wrongly set up host: module not loaded, library and module of different
 * versions, device nodes that are missing or that the caller may not open, nvidia_uvm not loaded, devices hidden by
 * CUDA_VISIBLE_DEVICES. Codes are those of NVIDIA's public cuda.h.
 */
#include "../common/lab.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef int result;

enum {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    NOT_INITIALIZED = 3,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    SYSTEM_NOT_READY = 802,
    SYSTEM_DRIVER_MISMATCH = 803,
    UNKNOWN = 999,
};

#define CUDA_API __attribute__((visibility("default"))) result

extern const char cuda_driver_version[]; /* in version.c */
extern const int cuda_cuda_version;

static struct lab_gpu *visible[LAB_MAX_GPUS];
static int visible_count;
static int initialized;

static struct lab_gpu *by_index(const char *text)
{
    char *end;
    long index = strtol(text, &end, 10);
    if (end == text || *end || index < 0 || index >= lab_gpu_count)
        return NULL;
    return &lab_gpus[index];
}

/* A UUID may be shortened as long as it stays unique. */
static struct lab_gpu *by_uuid(const char *text)
{
    struct lab_gpu *found = NULL;
    for (int i = 0; i < lab_gpu_count; i++) {
        if (strncasecmp(lab_gpu_get(&lab_gpus[i], "uuid", ""), text, strlen(text)) != 0)
            continue;
        if (found)
            return NULL;
        found = &lab_gpus[i];
    }
    return found;
}

/* In MIG mode only instances compute, and the lab has none. */
static int openable(const struct lab_gpu *gpu)
{
    char name[32];
    snprintf(name, sizeof name, "nvidia%u", gpu->index);
    if (*lab_gpu_get(gpu, "mig", "0") == '1')
        return 0;
    return lab_node(name, (int)gpu->index) == 0 && !lab_gpu_get(gpu, "error", NULL);
}

static int seen(const struct lab_gpu *gpu)
{
    for (int i = 0; i < visible_count; i++)
        if (visible[i] == gpu)
            return 1;
    return 0;
}

/* CUDA_VISIBLE_DEVICES: devices up to the first entry that names none; a device named twice leaves none at all. */
static void select_devices(void)
{
    const char *wanted = getenv("CUDA_VISIBLE_DEVICES");
    visible_count = 0;
    if (!wanted) {
        for (int i = 0; i < lab_gpu_count; i++)
            if (openable(&lab_gpus[i]))
                visible[visible_count++] = &lab_gpus[i];
        return;
    }
    char list[1024];
    snprintf(list, sizeof list, "%s", wanted);
    char *rest = list;
    for (char *item = list; item; item = rest) {
        rest = strchr(item, ',');
        if (rest)
            *rest++ = 0;
        item = lab_trim(item);
        struct lab_gpu *gpu = strncasecmp(item, "GPU-", 4) == 0 ? by_uuid(item) : by_index(item);
        if (!gpu || visible_count == LAB_MAX_GPUS)
            return;
        if (seen(gpu)) {
            visible_count = 0;
            return;
        }
        if (openable(gpu))
            visible[visible_count++] = gpu;
    }
}

CUDA_API cuInit(unsigned flags)
{
    char loaded[64];
    initialized = 0;
    if (flags)
        return INVALID_VALUE;
    if (!lab_load() || !lab_module_version(loaded, sizeof loaded))
        return NO_DEVICE;
    if (strcmp(loaded, cuda_driver_version) != 0) {
        lab_report_mismatch(cuda_driver_version, loaded);
        return SYSTEM_DRIVER_MISMATCH;
    }
    const char *injected = lab_get("driver", "error.cuInit", 0);
    if (injected && atoi(injected))
        return atoi(injected);
    if (lab_module_fault("cuinit"))
        return lab_module_fault("cuinit");
    if (lab_node("nvidiactl", 255))
        return NO_DEVICE;
    select_devices();
    if (visible_count == 0)
        return NO_DEVICE;
    if (!lab_uvm_loaded() || lab_node("nvidia-uvm", -1))
        lab_modprobe("-c=0", "-u");
    if (!lab_uvm_loaded() || lab_node("nvidia-uvm", -1))
        return UNKNOWN;
    for (int i = 0; i < visible_count; i++) {
        char state = *lab_fabric(visible[i]);
        if (state == '1' || state == '2')
            return SYSTEM_NOT_READY;
    }
    initialized = 1;
    return SUCCESS;
}

CUDA_API cuDriverGetVersion(int *version)
{
    if (!version)
        return INVALID_VALUE;
    *version = cuda_cuda_version;
    return SUCCESS;
}

CUDA_API cuDeviceGetCount(int *count)
{
    if (!initialized)
        return NOT_INITIALIZED;
    if (!count)
        return INVALID_VALUE;
    *count = visible_count;
    return SUCCESS;
}

CUDA_API cuDeviceGet(int *device, int ordinal)
{
    if (!initialized)
        return NOT_INITIALIZED;
    if (ordinal < 0 || ordinal >= visible_count)
        return INVALID_DEVICE;
    *device = ordinal;
    return SUCCESS;
}

static result find(int device, struct lab_gpu **gpu)
{
    if (!initialized)
        return NOT_INITIALIZED;
    if (device < 0 || device >= visible_count)
        return INVALID_DEVICE;
    *gpu = visible[device];
    return SUCCESS;
}

CUDA_API cuDeviceGetName(char *out, int size, int device)
{
    struct lab_gpu *gpu;
    result code = find(device, &gpu);
    if (code == SUCCESS && size > 0)
        snprintf(out, (size_t)size, "%s", lab_gpu_get(gpu, "name", "NVIDIA GPU"));
    return code;
}

CUDA_API cuDeviceTotalMem_v2(size_t *bytes, int device)
{
    struct lab_gpu *gpu;
    unsigned long long total, used, reserved;
    result code = find(device, &gpu);
    if (code)
        return code;
    lab_memory(gpu, &total, &used, &reserved);
    *bytes = (size_t)(total - reserved); /* CUDA does not count the driver's reserve */
    return SUCCESS;
}

CUDA_API cuDeviceTotalMem(size_t *bytes, int device)
{
    return cuDeviceTotalMem_v2(bytes, device);
}

/* Free and total bytes of a device. The real function asks the current context; the lab knows no contexts, so this
 * one is for the lab's own Ollama. */
CUDA_API ongpuLabMemGetInfo(size_t *free_bytes, size_t *total_bytes, int device)
{
    struct lab_gpu *gpu;
    unsigned long long total, used, reserved;
    result code = find(device, &gpu);
    if (code)
        return code;
    lab_memory(gpu, &total, &used, &reserved);
    *total_bytes = (size_t)(total - reserved);
    *free_bytes = (size_t)(total - reserved - used);
    return SUCCESS;
}

static int bus_address(const struct lab_gpu *gpu, unsigned *domain, unsigned *bus, unsigned *slot)
{
    *domain = *bus = *slot = 0;
    return sscanf(lab_gpu_get(gpu, "bus_id", "00000000:01:00.0"), "%x:%x:%x", domain, bus, slot);
}

enum attribute {
    MAX_THREADS_PER_BLOCK = 1,
    WARP_SIZE = 10,
    CLOCK_RATE = 13,
    MULTIPROCESSOR_COUNT = 16,
    INTEGRATED = 18,
    PCI_BUS_ID = 33,
    PCI_DEVICE_ID = 34,
    MEMORY_CLOCK_RATE = 36,
    GLOBAL_MEMORY_BUS_WIDTH = 37,
    UNIFIED_ADDRESSING = 41,
    PCI_DOMAIN_ID = 50,
    COMPUTE_CAPABILITY_MAJOR = 75,
    COMPUTE_CAPABILITY_MINOR = 76,
    MANAGED_MEMORY = 83,
};

static int number(const struct lab_gpu *gpu, const char *key, const char *fallback)
{
    return atoi(lab_gpu_get(gpu, key, fallback));
}

CUDA_API cuDeviceGetAttribute(int *value, int attribute, int device)
{
    struct lab_gpu *gpu;
    unsigned domain, bus, slot;
    int major, minor;
    result code = find(device, &gpu);
    if (code)
        return code;
    bus_address(gpu, &domain, &bus, &slot);
    lab_compute_capability(gpu, &major, &minor);
    switch (attribute) {
    case MAX_THREADS_PER_BLOCK: *value = 1024; break;
    case WARP_SIZE: *value = 32; break;
    case CLOCK_RATE: *value = 1000 * number(gpu, "max_clock", "2520"); break;
    case MULTIPROCESSOR_COUNT: *value = number(gpu, "multiprocessors", "24"); break;
    case INTEGRATED: *value = number(gpu, "integrated", "0"); break;
    case PCI_BUS_ID: *value = (int)bus; break;
    case PCI_DEVICE_ID: *value = (int)slot; break;
    case PCI_DOMAIN_ID: *value = (int)domain; break;
    case MEMORY_CLOCK_RATE: *value = 1000 * number(gpu, "max_memory_clock", "8501"); break;
    case GLOBAL_MEMORY_BUS_WIDTH: *value = number(gpu, "memory_bus_bits", "128"); break;
    case UNIFIED_ADDRESSING:
    case MANAGED_MEMORY: *value = 1; break;
    case COMPUTE_CAPABILITY_MAJOR: *value = major; break;
    case COMPUTE_CAPABILITY_MINOR: *value = minor; break;
    default: return INVALID_VALUE;
    }
    return SUCCESS;
}

CUDA_API cuDeviceComputeCapability(int *major, int *minor, int device)
{
    struct lab_gpu *gpu;
    result code = find(device, &gpu);
    if (code == SUCCESS)
        lab_compute_capability(gpu, major, minor);
    return code;
}

CUDA_API cuDeviceGetPCIBusId(char *out, int size, int device)
{
    struct lab_gpu *gpu;
    unsigned domain, bus, slot;
    result code = find(device, &gpu);
    if (code)
        return code;
    bus_address(gpu, &domain, &bus, &slot);
    return snprintf(out, (size_t)size, "%04x:%02x:%02x.0", domain & 0xffff, bus, slot) < size ? SUCCESS
                                                                                            : INVALID_VALUE;
}

CUDA_API cuDeviceGetByPCIBusId(int *device, const char *bus_id)
{
    char have[32];
    if (!initialized)
        return NOT_INITIALIZED;
    for (int i = 0; i < visible_count; i++) {
        if (cuDeviceGetPCIBusId(have, sizeof have, i) == SUCCESS && !strcasecmp(have, bus_id)) {
            *device = i;
            return SUCCESS;
        }
    }
    return INVALID_DEVICE;
}

/* 16 bytes, as in the text after "GPU-". */
CUDA_API cuDeviceGetUuid(unsigned char *out, int device)
{
    struct lab_gpu *gpu;
    result code = find(device, &gpu);
    if (code)
        return code;
    const char *text = lab_gpu_get(gpu, "uuid", "");
    text += strncmp(text, "GPU-", 4) == 0 ? 4 : 0;
    memset(out, 0, 16);
    for (int digit = 0; *text && digit < 32; text++) {
        char one[2] = {*text, 0};
        if (!isxdigit((unsigned char)*text))
            continue;
        out[digit / 2] = (unsigned char)(out[digit / 2] << 4 | strtoul(one, NULL, 16));
        digit++;
    }
    return SUCCESS;
}

CUDA_API cuDeviceGetUuid_v2(unsigned char *out, int device)
{
    return cuDeviceGetUuid(out, device);
}

struct error {
    result code;
    const char *name, *text;
};

static const struct error errors[] = {
    {SUCCESS, "CUDA_SUCCESS", "no error"},
    {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {SYSTEM_NOT_READY, "CUDA_ERROR_SYSTEM_NOT_READY", "system not yet initialized"},
    {SYSTEM_DRIVER_MISMATCH, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
     "system has unsupported display driver / cuda driver combination"},
    {UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

static const struct error *look_up(result code)
{
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].code == code)
            return &errors[i];
    return NULL;
}

CUDA_API cuGetErrorName(result code, const char **out)
{
    const struct error *error = look_up(code);
    *out = error ? error->name : NULL;
    return error ? SUCCESS : INVALID_VALUE;
}

CUDA_API cuGetErrorString(result code, const char **out)
{
    const struct error *error = look_up(code);
    *out = error ? error->text : NULL;
    return error ? SUCCESS : INVALID_VALUE;
}
