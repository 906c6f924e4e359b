/* The fields of --query-gpu: how each is read from NVML and how it is written. */
#include "smi.h"

#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

/* A value that cannot be had is written in brackets, and the exit code stays 0. */
const char *shown_error(int code)
{
    static char text[64];
    if (code == NOT_SUPPORTED || code == FUNCTION_NOT_FOUND)
        return "[N/A]";
    snprintf(text, sizeof text, "[%s]", nvml_error(code));
    return text;
}

static int text_value(device gpu, const char *function, char *out, size_t size)
{
    return nvml_text(function, gpu, out, (unsigned)size);
}

static int system_text(device gpu, const char *function, char *out, size_t size)
{
    (void)gpu;
    return nvml_text(function, NULL, out, (unsigned)size);
}

static int print_number(int code, unsigned value, const char *format, char *out, size_t size)
{
    if (code == SUCCESS)
        snprintf(out, size, format, value);
    return code;
}

static int number(device gpu, const char *function, char *out, size_t size)
{
    unsigned value = 0;
    int code = nvml_call2(function, gpu, &value);
    return print_number(code, value, "%u", out, size);
}

static int count(device gpu, const char *function, char *out, size_t size)
{
    unsigned value = 0;
    (void)gpu;
    int code = nvml_call1(function, &value);
    return print_number(code, value, "%u", out, size);
}

/* Argument "Function:N": a getter that takes a sensor or clock domain N. */
static int number_of(device gpu, const char *argument, char *out, size_t size)
{
    char function[64];
    unsigned which = 0, value = 0;
    sscanf(argument, "%63[^:]:%u", function, &which);
    int code = nvml_of(function, gpu, which, &value);
    return print_number(code, value, "%u", out, size);
}

static int watts(device gpu, const char *function, char *out, size_t size)
{
    unsigned milliwatts = 0;
    int code = nvml_call2(function, gpu, &milliwatts);
    if (code == SUCCESS)
        snprintf(out, size, "%u.%02u", milliwatts / 1000, milliwatts % 1000 / 10);
    return code;
}

static int state(device gpu, const char *function, char *out, size_t size)
{
    unsigned value = 0;
    int code = nvml_call2(function, gpu, &value);
    return print_number(code, value, "P%u", out, size);
}

static int enabled(device gpu, const char *function, char *out, size_t size)
{
    unsigned value = 0;
    int code = nvml_call2(function, gpu, &value);
    if (code == SUCCESS)
        snprintf(out, size, "%s", value ? "Enabled" : "Disabled");
    return code;
}

/* Argument "Function:0" for the current, "Function:1" for the pending value. */
static int enabled_pair(device gpu, const char *argument, char *out, size_t size)
{
    char function[64];
    unsigned which = 0, values[2] = {0, 0};
    sscanf(argument, "%63[^:]:%u", function, &which);
    int code = nvml_call3(function, gpu, &values[0], &values[1]);
    if (code == SUCCESS)
        snprintf(out, size, "%s", values[which & 1] ? "Enabled" : "Disabled");
    return code;
}

static int compute_mode(device gpu, const char *function, char *out, size_t size)
{
    static const char *const names[] = {"Default", "Exclusive_Thread", "Prohibited", "Exclusive_Process"};
    unsigned value = 0;
    int code = nvml_call2(function, gpu, &value);
    if (code == SUCCESS)
        snprintf(out, size, "%s", value < 4 ? names[value] : "Unknown");
    return code;
}

static int compute_capability(device gpu, const char *function, char *out, size_t size)
{
    int major = 0, minor = 0;
    int code = nvml_call3(function, gpu, &major, &minor);
    if (code == SUCCESS)
        snprintf(out, size, "%d.%d", major, minor);
    return code;
}

/* Argument: t, r, f or u, the part of the memory. */
static int memory(device gpu, const char *part, char *out, size_t size)
{
    struct memory info = {.version = 0x02000028};
    int code = nvml_call2("nvmlDeviceGetMemoryInfo_v2", gpu, &info);
    if (code)
        return code;
    u64 bytes = *part == 't' ? info.total : *part == 'r' ? info.reserved : *part == 'f' ? info.free : info.used;
    snprintf(out, size, "%llu", bytes >> 20);
    return SUCCESS;
}

/* Argument: g for the GPU, m for its memory. */
static int utilization(device gpu, const char *part, char *out, size_t size)
{
    unsigned rates[2] = {0, 0};
    int code = nvml_call2("nvmlDeviceGetUtilizationRates", gpu, rates);
    return print_number(code, rates[*part == 'm'], "%u", out, size);
}

/* Argument: 0 corrected, 1 uncorrected. The lab keeps one counter for both, since boot and in all. */
static int ecc_errors(device gpu, const char *type, char *out, size_t size)
{
    u64 value = 0;
    int code = nvml_of2("nvmlDeviceGetTotalEccErrors", gpu, *type == '1', 0, &value);
    if (code == SUCCESS)
        snprintf(out, size, "%llu", value);
    return code;
}

/* Argument: 0 correctable, 1 uncorrectable, 2 pending, 3 failure. */
static int remapped_rows(device gpu, const char *which, char *out, size_t size)
{
    unsigned values[4] = {0, 0, 0, 0};
    int code = nvml_remapped_rows(gpu, values);
    if (code)
        return code;
    if (*which < '2')
        snprintf(out, size, "%u", values[*which - '0']);
    else
        snprintf(out, size, "%s", values[*which - '0'] ? "Yes" : "No");
    return SUCCESS;
}

static int mask(device gpu, const char *function, char *out, size_t size)
{
    u64 value = 0;
    int code = nvml_call2(function, gpu, &value);
    if (code == SUCCESS)
        snprintf(out, size, "0x%016llX", value);
    return code;
}

/* Argument: the bit of the clock event reasons. */
static int reason(device gpu, const char *bit, char *out, size_t size)
{
    u64 value = 0, wanted = 0;
    int code = nvml_call2("nvmlDeviceGetCurrentClocksEventReasons", gpu, &value);
    sscanf(bit, "%llx", &wanted);
    if (code == SUCCESS)
        snprintf(out, size, "%s", value & wanted ? "Active" : "Not Active");
    return code;
}

/* Argument: b bus id, d device id, s subsystem id. */
static int pci(device gpu, const char *part, char *out, size_t size)
{
    struct {
        char legacy[16];
        unsigned domain, bus, slot, id, subsystem;
        char bus_id[32];
    } info;
    int code = nvml_call2("nvmlDeviceGetPciInfo_v3", gpu, &info);
    if (code)
        return code;
    if (*part == 'b')
        snprintf(out, size, "%s", info.bus_id);
    else
        snprintf(out, size, "0x%X", *part == 'd' ? info.id : info.subsystem);
    return SUCCESS;
}

static int recovery_action(device gpu, const char *argument, char *out, size_t size)
{
    static const char *const names[] = {"None", "Reset", "Reboot", "Drain P2P", "Drain and Reset"};
    struct {
        unsigned id, scope;
        long long timestamp, latency;
        int type, code;
        u64 value;
    } field = {.id = 230};
    (void)argument;
    int code = nvml_of("nvmlDeviceGetFieldValues", gpu, 1, &field);
    if (code == SUCCESS)
        code = field.code;
    if (code == SUCCESS)
        snprintf(out, size, "%s", field.value < 5 ? names[field.value] : "Unknown");
    return code;
}

/* Argument: 0 lowest, 1 highest power limit. */
static int power_range(device gpu, const char *which, char *out, size_t size)
{
    unsigned milliwatts[2] = {0, 0};
    int code = nvml_call3("nvmlDeviceGetPowerManagementLimitConstraints", gpu, &milliwatts[0], &milliwatts[1]);
    if (code == SUCCESS)
        snprintf(out, size, "%u.%02u", milliwatts[*which == '1'] / 1000, milliwatts[*which == '1'] % 1000 / 10);
    return code;
}

/* Argument: 0 state, 1 status. Written as by nvidia-smi 535 and 550: with the word before it, and two blanks. */
static int fabric(device gpu, const char *which, char *out, size_t size)
{
    static const char *const states[] = {"N/A", "Not Started", "In Progress", "Completed"};
    struct {
        unsigned char cluster[16];
        int status;
        unsigned clique;
        unsigned char state;
    } info;
    int code = nvml_call2("nvmlDeviceGetGpuFabricInfo", gpu, &info);
    if (code)
        return code;
    if (*which == '0')
        snprintf(out, size, "state  %s", states[info.state & 3]);
    else
        snprintf(out, size, "status %s", info.state != 3 ? "N/A" : info.status ? nvml_error(info.status) : "Success");
    return SUCCESS;
}

static int now(device gpu, const char *argument, char *out, size_t size)
{
    struct timeval time;
    char text[32];
    (void)gpu;
    (void)argument;
    gettimeofday(&time, NULL);
    strftime(text, sizeof text, "%Y/%m/%d %H:%M:%S", localtime(&time.tv_sec));
    snprintf(out, size, "%s.%03ld", text, (long)time.tv_usec / 1000);
    return SUCCESS;
}

static int not_there(device gpu, const char *argument, char *out, size_t size)
{
    (void)gpu;
    (void)argument;
    (void)out;
    (void)size;
    return NOT_SUPPORTED;
}

/* Name, name in the header (NULL: the same), unit, reader, argument. */
static const struct field fields[] = {
    {"timestamp", NULL, "", now, ""},
    {"index", NULL, "", number, "nvmlDeviceGetIndex"},
    {"count", NULL, "", count, "nvmlDeviceGetCount_v2"},
    {"name", NULL, "", text_value, "nvmlDeviceGetName"},
    {"gpu_name", "name", "", text_value, "nvmlDeviceGetName"},
    {"uuid", NULL, "", text_value, "nvmlDeviceGetUUID"},
    {"gpu_uuid", "uuid", "", text_value, "nvmlDeviceGetUUID"},
    {"serial", NULL, "", text_value, "nvmlDeviceGetSerial"},
    {"gpu_serial", "serial", "", text_value, "nvmlDeviceGetSerial"},
    {"pci.bus_id", NULL, "", pci, "b"},
    {"gpu_bus_id", "pci.bus_id", "", pci, "b"},
    {"pci.device_id", NULL, "", pci, "d"},
    {"pci.sub_device_id", NULL, "", pci, "s"},
    {"driver_version", NULL, "", system_text, "nvmlSystemGetDriverVersion"},
    {"vbios_version", NULL, "", text_value, "nvmlDeviceGetVbiosVersion"},
    {"compute_cap", NULL, "", compute_capability, "nvmlDeviceGetCudaComputeCapability"},
    {"memory.total", NULL, "MiB", memory, "t"},
    {"memory.reserved", NULL, "MiB", memory, "r"},
    {"memory.used", NULL, "MiB", memory, "u"},
    {"memory.free", NULL, "MiB", memory, "f"},
    {"utilization.gpu", NULL, "%", utilization, "g"},
    {"utilization.memory", NULL, "%", utilization, "m"},
    {"temperature.gpu", NULL, "", number_of, "nvmlDeviceGetTemperature:0"},
    {"temperature.memory", NULL, "", not_there, ""},
    {"fan.speed", NULL, "%", number, "nvmlDeviceGetFanSpeed"},
    {"pstate", NULL, "", state, "nvmlDeviceGetPerformanceState"},
    {"persistence_mode", NULL, "", enabled, "nvmlDeviceGetPersistenceMode"},
    {"compute_mode", NULL, "", compute_mode, "nvmlDeviceGetComputeMode"},
    {"display_mode", NULL, "", enabled, "nvmlDeviceGetDisplayMode"},
    {"display_active", NULL, "", enabled, "nvmlDeviceGetDisplayActive"},
    {"accounting.mode", NULL, "", enabled, "nvmlDeviceGetAccountingMode"},
    {"mig.mode.current", NULL, "", enabled_pair, "nvmlDeviceGetMigMode:0"},
    {"mig.mode.pending", NULL, "", enabled_pair, "nvmlDeviceGetMigMode:1"},
    {"ecc.mode.current", NULL, "", enabled_pair, "nvmlDeviceGetEccMode:0"},
    {"ecc.mode.pending", NULL, "", enabled_pair, "nvmlDeviceGetEccMode:1"},
    {"gsp.mode.current", NULL, "", enabled_pair, "nvmlDeviceGetGspFirmwareMode:0"},
    {"ecc.errors.corrected.volatile.total", NULL, "", ecc_errors, "0"},
    {"ecc.errors.corrected.aggregate.total", NULL, "", ecc_errors, "0"},
    {"ecc.errors.uncorrected.volatile.total", NULL, "", ecc_errors, "1"},
    {"ecc.errors.uncorrected.aggregate.total", NULL, "", ecc_errors, "1"},
    {"retired_pages.pending", NULL, "", not_there, ""},
    {"remapped_rows.correctable", NULL, "", remapped_rows, "0"},
    {"remapped_rows.uncorrectable", NULL, "", remapped_rows, "1"},
    {"remapped_rows.pending", NULL, "", remapped_rows, "2"},
    {"remapped_rows.failure", NULL, "", remapped_rows, "3"},
    {"gpu_recovery_action", NULL, "", recovery_action, ""},
    {"addressing_mode", NULL, "", not_there, ""},
    {"power.draw", NULL, "W", watts, "nvmlDeviceGetPowerUsage"},
    {"power.draw.instant", NULL, "W", watts, "nvmlDeviceGetPowerUsage"},
    {"power.draw.average", NULL, "W", watts, "nvmlDeviceGetPowerUsage"},
    {"power.limit", NULL, "W", watts, "nvmlDeviceGetPowerManagementLimit"},
    {"enforced.power.limit", NULL, "W", watts, "nvmlDeviceGetEnforcedPowerLimit"},
    {"power.default_limit", NULL, "W", watts, "nvmlDeviceGetPowerManagementDefaultLimit"},
    {"power.min_limit", NULL, "W", power_range, "0"},
    {"power.max_limit", NULL, "W", power_range, "1"},
    {"fabric.state", NULL, "", fabric, "0"},
    {"fabric.status", NULL, "", fabric, "1"},
    {"pcie.link.gen.current", NULL, "", number, "nvmlDeviceGetCurrPcieLinkGeneration"},
    {"pcie.link.gen.gpucurrent", NULL, "", number, "nvmlDeviceGetCurrPcieLinkGeneration"},
    {"pcie.link.gen.max", NULL, "", number, "nvmlDeviceGetMaxPcieLinkGeneration"},
    {"pcie.link.gen.gpumax", NULL, "", number, "nvmlDeviceGetGpuMaxPcieLinkGeneration"},
    {"pcie.link.width.current", NULL, "", number, "nvmlDeviceGetCurrPcieLinkWidth"},
    {"pcie.link.width.max", NULL, "", number, "nvmlDeviceGetMaxPcieLinkWidth"},
    {"clocks.sm", "clocks.current.sm", "MHz", number_of, "nvmlDeviceGetClockInfo:1"},
    {"clocks.current.sm", NULL, "MHz", number_of, "nvmlDeviceGetClockInfo:1"},
    {"clocks.mem", "clocks.current.memory", "MHz", number_of, "nvmlDeviceGetClockInfo:2"},
    {"clocks.current.memory", NULL, "MHz", number_of, "nvmlDeviceGetClockInfo:2"},
    {"clocks.gr", "clocks.current.graphics", "MHz", number_of, "nvmlDeviceGetClockInfo:0"},
    {"clocks.current.graphics", NULL, "MHz", number_of, "nvmlDeviceGetClockInfo:0"},
    {"clocks.max.sm", NULL, "MHz", number_of, "nvmlDeviceGetMaxClockInfo:1"},
    {"clocks.max.mem", "clocks.max.memory", "MHz", number_of, "nvmlDeviceGetMaxClockInfo:2"},
    {"clocks.max.memory", NULL, "MHz", number_of, "nvmlDeviceGetMaxClockInfo:2"},
    {"clocks.max.gr", "clocks.max.graphics", "MHz", number_of, "nvmlDeviceGetMaxClockInfo:0"},
    {"clocks.max.graphics", NULL, "MHz", number_of, "nvmlDeviceGetMaxClockInfo:0"},
    {"clocks_event_reasons.active", NULL, "", mask, "nvmlDeviceGetCurrentClocksEventReasons"},
    {"clocks_event_reasons.supported", NULL, "", mask, "nvmlDeviceGetSupportedClocksEventReasons"},
    {"clocks_event_reasons.gpu_idle", NULL, "", reason, "1"},
    {"clocks_event_reasons.sw_power_cap", NULL, "", reason, "4"},
    {"clocks_event_reasons.hw_slowdown", NULL, "", reason, "8"},
    {"clocks_event_reasons.sw_thermal_slowdown", NULL, "", reason, "20"},
    {"clocks_event_reasons.hw_thermal_slowdown", NULL, "", reason, "40"},
    {"clocks_event_reasons.hw_power_brake_slowdown", NULL, "", reason, "80"},
};

#define OLD_PREFIX "clocks_throttle_reasons."
#define NEW_PREFIX "clocks_event_reasons."

const struct field *find_field(const char *name)
{
    char renamed[128];
    if (!strncmp(name, OLD_PREFIX, strlen(OLD_PREFIX))) {
        snprintf(renamed, sizeof renamed, NEW_PREFIX "%s", name + strlen(OLD_PREFIX));
        name = renamed;
    }
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (!strcmp(fields[i].name, name))
            return &fields[i];
    return NULL;
}
