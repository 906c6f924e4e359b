/* libnvidia-ml.so.1, loaded as the real nvidia-smi loads it. */
#include "smi.h"

#include <dlfcn.h>
#include <stdio.h>

static void *library;

int nvml_open(void)
{
    int (*init)(void);
    library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    if (!library)
        return LIBRARY_NOT_FOUND;
    *(void **)&init = dlsym(library, "nvmlInit_v2");
    return init ? init() : FUNCTION_NOT_FOUND;
}

#define CALL(type, ...)                                \
    do {                                               \
        int(*called) type;                             \
        *(void **)&called = dlsym(library, function);  \
        return called ? called(__VA_ARGS__) : FUNCTION_NOT_FOUND; \
    } while (0)

int nvml_call1(const char *function, void *first) { CALL((void *), first); }

int nvml_call2(const char *function, device gpu, void *out) { CALL((device, void *), gpu, out); }

int nvml_call3(const char *function, device gpu, void *first, void *second)
{
    CALL((device, void *, void *), gpu, first, second);
}

int nvml_of(const char *function, device gpu, unsigned which, void *out)
{
    CALL((device, unsigned, void *), gpu, which, out);
}

int nvml_of2(const char *function, device gpu, int first, int second, void *out)
{
    CALL((device, int, int, void *), gpu, first, second, out);
}

int nvml_remapped_rows(device gpu, unsigned values[4])
{
    const char *function = "nvmlDeviceGetRemappedRows";
    CALL((device, unsigned *, unsigned *, unsigned *, unsigned *), gpu, values, values + 1, values + 2, values + 3);
}

int nvml_index(unsigned index, device *gpu)
{
    const char *function = "nvmlDeviceGetHandleByIndex_v2";
    CALL((unsigned, device *), index, gpu);
}

/* With no GPU: one of the functions about the system. */
int nvml_text(const char *function, device gpu, char *out, unsigned size)
{
    if (gpu)
        CALL((device, char *, unsigned), gpu, out, size);
    CALL((char *, unsigned), out, size);
}

int nvml_set(const char *function, device gpu, unsigned value) { CALL((device, unsigned), gpu, value); }

int nvml_set2(const char *function, device gpu, unsigned first, unsigned second)
{
    CALL((device, unsigned, unsigned), gpu, first, second);
}

const char *nvml_error(int code)
{
    const char *(*text)(int);
    *(void **)&text = dlsym(library, "nvmlErrorString");
    return text ? text(code) : "Unknown Error";
}

void process_name(unsigned pid, char *out, unsigned size)
{
    int (*name)(unsigned, char *, unsigned);
    *(void **)&name = dlsym(library, "nvmlSystemGetProcessName");
    if (!name || name(pid, out, size) != SUCCESS)
        snprintf(out, size, "[Not Found]");
}
