/* Load, clocks, temperature, power, PCIe link. */
#include "nvml.h"

#include <stdio.h>
#include <stdlib.h>

DEVICE_PAIR(nvmlDeviceGetEncoderUtilization, "encoder", "0,0")
DEVICE_PAIR(nvmlDeviceGetDecoderUtilization, "decoder", "0,0")
DEVICE_PAIR(nvmlDeviceGetJpgUtilization, "jpg", "0,0")
DEVICE_PAIR(nvmlDeviceGetOfaUtilization, "ofa", "0,0")

struct utilization {
    unsigned gpu, memory;
};

NVML_API nvmlDeviceGetUtilizationRates(device gpu, struct utilization *out)
{
    CHECK_DEVICE(gpu);
    return nvml_pair(lab_gpu_get(gpu, "utilization", "0,0"), &out->gpu, &out->memory);
}

DEVICE_UINT(nvmlDeviceGetCurrPcieLinkGeneration, "pcie_gen", "4")
DEVICE_UINT(nvmlDeviceGetCurrPcieLinkWidth, "pcie_width", "16")
DEVICE_UINT(nvmlDeviceGetMaxPcieLinkGeneration, "pcie_max_gen", "4")
DEVICE_UINT(nvmlDeviceGetMaxPcieLinkWidth, "pcie_max_width", "16")
DEVICE_UINT(nvmlDeviceGetGpuMaxPcieLinkGeneration, "pcie_max_gen", "4")
DEVICE_UINT_OF(nvmlDeviceGetPcieThroughput, "pcie_kbs", "0")
DEVICE_UINT(nvmlDeviceGetPcieReplayCounter, "pcie_replays", "0")

/* `throttle`, and the power cap (0x4) while the limit is below what the GPU would draw (power_need_mw). */
NVML_API nvmlDeviceGetCurrentClocksEventReasons(device gpu, u64 *out)
{
    CHECK_DEVICE(gpu);
    const char *value = lab_gpu_get(gpu, "throttle", "0");
    if (!nvml_known(value))
        return NOT_SUPPORTED;
    *out = strtoull(value, NULL, 0);
    u64 need = strtoull(lab_gpu_get(gpu, "power_need_mw", "0"), NULL, 0);
    if (need > strtoull(lab_gpu_get(gpu, "power_limit_mw", "300000"), NULL, 0))
        *out |= 0x4;
    return SUCCESS;
}

NVML_API nvmlDeviceGetCurrentClocksThrottleReasons(device gpu, u64 *out)
{
    return nvmlDeviceGetCurrentClocksEventReasons(gpu, out);
}

DEVICE_U64(nvmlDeviceGetSupportedClocksThrottleReasons, "throttle_supported", "0x1ff")
DEVICE_U64(nvmlDeviceGetSupportedClocksEventReasons, "throttle_supported", "0x1ff")
DEVICE_UINT(nvmlDeviceGetPerformanceState, "pstate", "8")
DEVICE_UINT(nvmlDeviceGetPowerState, "pstate", "8")

/* Clock domains: 0 graphics, 1 SM, 2 memory, 3 video. Only memory differs much. */
static result clock_value(device gpu, unsigned domain, const char *key, const char *memory_key, const char *fallback,
                          unsigned *out)
{
    const char *value = lab_gpu_get(gpu, domain == 2 ? memory_key : key, fallback);
    if (!nvml_known(value))
        return NOT_SUPPORTED;
    *out = (unsigned)strtoul(value, NULL, 0);
    return SUCCESS;
}

NVML_API nvmlDeviceGetClockInfo(device gpu, unsigned domain, unsigned *out)
{
    CHECK_DEVICE(gpu);
    return clock_value(gpu, domain, "clock", "memory_clock", "210", out);
}

NVML_API nvmlDeviceGetMaxClockInfo(device gpu, unsigned domain, unsigned *out)
{
    CHECK_DEVICE(gpu);
    return clock_value(gpu, domain, "max_clock", "max_memory_clock", "2520", out);
}

NVML_API nvmlDeviceGetClock(device gpu, unsigned domain, unsigned id, unsigned *out)
{
    (void)id;
    CHECK_DEVICE(gpu);
    return clock_value(gpu, domain, "clock", "memory_clock", "210", out);
}

DEVICE_UINT(nvmlDeviceGetFanSpeed, "fan", "unsupported")
DEVICE_UINT_OF(nvmlDeviceGetFanSpeed_v2, "fan", "unsupported")
DEVICE_UINT_OF(nvmlDeviceGetTemperature, "temperature", "40")

struct temperature_v1 {
    unsigned version, sensor;
    int celsius;
};

NVML_API nvmlDeviceGetTemperatureV(device gpu, struct temperature_v1 *out)
{
    unsigned celsius;
    result code = nvmlDeviceGetTemperature(gpu, out->sensor, &celsius);
    if (code == SUCCESS)
        out->celsius = (int)celsius;
    return code;
}

/* Thresholds: 0 shutdown, 1 slowdown, 3 GPU maximum, 5 acoustic. */
NVML_API nvmlDeviceGetTemperatureThreshold(device gpu, unsigned kind, unsigned *out)
{
    static const unsigned celsius[] = {98, 95, 0, 90, 0, 83};
    CHECK_DEVICE(gpu);
    if (kind >= sizeof celsius / sizeof *celsius || !celsius[kind])
        return NOT_SUPPORTED;
    *out = celsius[kind];
    return SUCCESS;
}

DEVICE_UINT(nvmlDeviceGetPowerUsage, "power_mw", "25000")
DEVICE_UINT(nvmlDeviceGetPowerManagementLimit, "power_limit_mw", "300000")
DEVICE_UINT(nvmlDeviceGetEnforcedPowerLimit, "power_limit_mw", "300000")
DEVICE_UINT(nvmlDeviceGetPowerManagementDefaultLimit, "power_default_limit_mw", "300000")
DEVICE_PAIR(nvmlDeviceGetPowerManagementLimitConstraints, "power_range_mw", "100000,300000")

struct field_value {
    unsigned id, scope;
    long long timestamp, latency;
    int type;
    result code;
    u64 value;
};

#define FIELD_RECOVERY_ACTION 230
#define TYPE_UNSIGNED_INT 1

/* Only the recovery action; the other fields have a function of their own. */
NVML_API nvmlDeviceGetFieldValues(device gpu, int count, struct field_value *values)
{
    CHECK_DEVICE(gpu);
    for (int i = 0; i < count; i++) {
        values[i].code = NOT_SUPPORTED;
        if (values[i].id == FIELD_RECOVERY_ACTION) {
            values[i].code = SUCCESS;
            values[i].type = TYPE_UNSIGNED_INT;
            values[i].value = strtoull(lab_gpu_get(gpu, "recovery_action", "0"), NULL, 0);
        }
    }
    return SUCCESS;
}

/* nvidia-smi makes an event set before it prints its table. */
NVML_API nvmlEventSetCreate(void **set)
{
    static int one;
    CHECK_SYSTEM();
    *set = &one;
    return SUCCESS;
}

NVML_API nvmlEventSetFree(void *set)
{
    (void)set;
    return SUCCESS;
}

NVML_API nvmlDeviceRegisterEvents(device gpu, u64 mask, void *set)
{
    (void)mask;
    (void)set;
    CHECK_DEVICE(gpu);
    return SUCCESS;
}

NVML_API nvmlDeviceGetSupportedEventTypes(device gpu, u64 *mask)
{
    CHECK_DEVICE(gpu);
    *mask = 0x1f;
    return SUCCESS;
}

NVML_API nvmlEventSetWait_v2(void *set, void *event, unsigned milliseconds)
{
    (void)set;
    (void)event;
    (void)milliseconds;
    return TIMEOUT;
}
