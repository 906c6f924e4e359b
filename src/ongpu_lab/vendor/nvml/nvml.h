/* The stand-in libnvidia-ml.so.1: names, codes and struct layouts follow NVIDIA's public nvml.h.
 * Values come from the INI file (see ../common/lab.h); `unsupported` as a value means NOT_SUPPORTED.
 */
#ifndef ONGPU_LAB_NVML_H
#define ONGPU_LAB_NVML_H

#include "../common/lab.h"

typedef int result;
typedef struct lab_gpu *device;
typedef unsigned long long u64;

enum {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NO_PERMISSION = 4,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9,
    TIMEOUT = 10,
    GPU_IS_LOST = 15,
    VERSION_MISMATCH = 18,
    IN_USE = 19,
    UNKNOWN = 999,
};

/* Version of this library, as of the package that holds it; CUDA as 1000 * major + 10 * minor. In version.c. */
extern const char nvml_driver_version[];
extern const int nvml_cuda_version;

#define NVML_API __attribute__((visibility("default"))) result

/* What each public function says first; `error.<Function> = CODE` in the INI file makes it fail. */
result nvml_check_system(const char *function);
result nvml_check_device(device gpu, const char *function);
result nvml_copy(char *out, unsigned size, const char *text);
int nvml_is_device(const void *pointer);
int nvml_known(const char *value);
void nvml_trace(const char *function, const char *detail, int number);

#define CHECK_SYSTEM()                                        \
    do {                                                      \
        result check_result = nvml_check_system(__func__);    \
        if (check_result)                                     \
            return check_result;                              \
    } while (0)

#define CHECK_DEVICE(gpu)                                     \
    do {                                                      \
        result check_result = nvml_check_device(gpu, __func__); \
        if (check_result)                                     \
            return check_result;                              \
    } while (0)

/* Getters that only look a value up: DEVICE_UINT(function, "key in the INI file", "value if it is not there"). */
#define DEVICE_STRING(function, key, fallback)                \
    NVML_API function(device gpu, char *out, unsigned size)   \
    {                                                         \
        CHECK_DEVICE(gpu);                                    \
        return nvml_copy(out, size, lab_gpu_get(gpu, key, fallback)); \
    }

#define LOOK_UP(gpu, key, fallback, parse)                    \
    const char *value = lab_gpu_get(gpu, key, fallback);      \
    if (!nvml_known(value))                                   \
        return NOT_SUPPORTED;                                 \
    *out = parse(value, NULL, 0);                             \
    return SUCCESS;

#define DEVICE_UINT(function, key, fallback)                  \
    NVML_API function(device gpu, unsigned *out)              \
    {                                                         \
        CHECK_DEVICE(gpu);                                    \
        LOOK_UP(gpu, key, fallback, (unsigned)strtoul)        \
    }

/* ... with an argument that chooses a sensor or clock, which the lab does not tell apart. */
#define DEVICE_UINT_OF(function, key, fallback)               \
    NVML_API function(device gpu, unsigned which, unsigned *out) \
    {                                                         \
        (void)which;                                          \
        CHECK_DEVICE(gpu);                                    \
        LOOK_UP(gpu, key, fallback, (unsigned)strtoul)        \
    }

#define DEVICE_U64(function, key, fallback)                   \
    NVML_API function(device gpu, u64 *out)                   \
    {                                                         \
        CHECK_DEVICE(gpu);                                    \
        LOOK_UP(gpu, key, fallback, strtoull)                 \
    }

/* Two values, "1,0"; one value stands for both. */
#define DEVICE_PAIR(function, key, fallback)                  \
    NVML_API function(device gpu, unsigned *first, unsigned *second) \
    {                                                         \
        CHECK_DEVICE(gpu);                                    \
        return nvml_pair(lab_gpu_get(gpu, key, fallback), first, second); \
    }

result nvml_pair(const char *value, unsigned *first, unsigned *second);

/* Shared between files. nvml_told: a process's bytes, or all ones where the driver does not tell them (MIG, WSL). */
__attribute__((visibility("hidden"))) u64 nvml_told(device gpu, u64 bytes);
NVML_API nvmlDeviceGetHandleByIndex_v2(unsigned index, device *gpu);

#endif
