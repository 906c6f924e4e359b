/* Power limit, locked clocks, compute mode, ECC, MIG mode, reset. Texts as nvidia-smi 550 prints them; what a GPU does not have is said,
 * and the exit code is 0 all the same.
 */
#include "smi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const valued[] = {"-pl", "-lgc", "-lmc", "-c", "-e", "-mig"};
static const char *const plain[] = {"-rgc", "-rmc", "-r", "--gpu-reset"};

static int among(const char *option, const char *const names[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(option, names[i]))
            return 1;
    return 0;
}

int takes_value(const char *option) { return among(option, valued, sizeof valued / sizeof *valued); }

int is_setting(const char *option) { return takes_value(option) || among(option, plain, sizeof plain / sizeof *plain); }

static const char *read_field(device gpu, const char *name, char *out, size_t size)
{
    const struct field *field = find_field(name);
    if (field->read(gpu, field->argument, out, size) != SUCCESS)
        snprintf(out, size, "N/A");
    return out;
}

static int set_power(device gpu, const char *bus, const char *value)
{
    char before[32], lowest[32], highest[32];
    double watts = atof(value);
    read_field(gpu, "power.limit", before, sizeof before);
    int code = nvml_set("nvmlDeviceSetPowerManagementLimit", gpu, (unsigned)(watts * 1000));
    if (code == NOT_SUPPORTED) {
        printf("Changing power management limit is not supported for GPU: %s.\nTreating as warning and moving on.\n", bus);
        return SUCCESS;
    }
    if (code == INVALID)
        printf("Provided power limit %.2f W is not a valid power limit which should be between %s W and %s W for GPU %s\n",
               watts, read_field(gpu, "power.min_limit", lowest, sizeof lowest),
               read_field(gpu, "power.max_limit", highest, sizeof highest), bus);
    else if (code == SUCCESS)
        printf("Power limit for GPU %s was set to %.2f W from %s W.\n", bus, watts, before);
    return code;
}

static int set_clocks(device gpu, const char *bus, const char *value, int memory)
{
    unsigned lowest = 0, highest = 0;
    if (sscanf(value, "%u,%u", &lowest, &highest) == 1)
        highest = lowest;
    int code = nvml_set2(memory ? "nvmlDeviceSetMemoryLockedClocks" : "nvmlDeviceSetGpuLockedClocks", gpu, lowest, highest);
    const char *kind = memory ? "Memory" : "GPU", *key = memory ? "memClk" : "gpuClk";
    if (code == SUCCESS)
        printf("%s clocks set to \"(%sMin %u, %sMax %u)\" for GPU %s\n", kind, key, lowest, key, highest, bus);
    return code;
}

static int set_compute_mode(device gpu, const char *bus, const char *value)
{
    static const char *const names[] = {"DEFAULT", "EXCLUSIVE_THREAD", "PROHIBITED", "EXCLUSIVE_PROCESS"};
    char now[32];
    read_field(gpu, "compute_mode", now, sizeof now);
    for (unsigned mode = 0; mode < 4; mode++) {
        if (strcasecmp(value, names[mode]) != 0 && !(strlen(value) == 1 && *value == (char)('0' + mode)))
            continue;
        if (!strcasecmp(now, names[mode])) {
            printf("Compute mode is already set to %s for GPU %s.\n", names[mode], bus);
            return SUCCESS;
        }
        int code = nvml_set("nvmlDeviceSetComputeMode", gpu, mode);
        if (code == SUCCESS)
            printf("Set compute mode to %s for GPU %s.\n", names[mode], bus);
        return code;
    }
    return INVALID;
}

static int set_ecc(device gpu, const char *bus, const char *value, int *changed)
{
    char now[32];
    unsigned mode = *value == '1';
    int code = nvml_set("nvmlDeviceSetEccMode", gpu, mode);
    if (code == NOT_SUPPORTED) {
        printf("ECC features not supported for GPU %s.\nTreating as warning and moving on.\n", bus);
        return SUCCESS;
    }
    read_field(gpu, "ecc.mode.current", now, sizeof now);
    if (code == SUCCESS && !strcmp(now, mode ? "Enabled" : "Disabled"))
        printf("ECC support is already %s for GPU %s.\n", now, bus);
    else if (code == SUCCESS) {
        printf("%s ECC support for GPU %s.\n", mode ? "Enabled" : "Disabled", bus);
        *changed = 1;
    }
    return code;
}

/* A GPU that is in use keeps its mode until it is reset. */
static int set_mig(device gpu, const char *bus, const char *value)
{
    unsigned mode = *value == '1';
    int activation = SUCCESS, code = nvml_of("nvmlDeviceSetMigMode", gpu, mode, &activation);
    if (code == NOT_SUPPORTED) {
        printf("Unable to %s MIG Mode for GPU %s: Not Supported\n", mode ? "enable" : "disable", bus);
        return code;
    }
    if (code == SUCCESS && activation == IN_USE) {
        printf("Warning: MIG mode is in pending %s state for GPU %s:In use by another client\n%s is currently being used by one "
               "or more other processes (e.g. CUDA application or a monitoring application such as another instance of "
               "nvidia-smi). Please first kill all processes using the device and retry the command or reboot the system to "
               "make MIG mode effective.\n", mode ? "enable" : "disable", bus, bus);
        return SUCCESS;
    }
    if (code == SUCCESS)
        printf("%s MIG Mode for GPU %s\n", mode ? "Enabled" : "Disabled", bus);
    return code;
}

static int reset(device gpu, const char *bus)
{
    int code = nvml_set("nvmlLabReset", gpu, 0);
    if (code == IN_USE)
        printf("The following GPUs could not be reset:\n  GPU %s: In use by another client\n\n1 device is currently being used by "
               "one or more other processes (e.g., Fabric Manager, CUDA application, graphics application such as an X server, "
               "or a monitoring application such as another instance of nvidia-smi). Please first kill all processes using "
               "this device and all compute applications running in the system.\n", bus);
    else if (code == SUCCESS)
        printf("GPU %s was successfully reset.\n", bus);
    return code;
}

int change_setting(const struct selection *selection, const char *option, const char *value)
{
    int changed = 0;
    for (unsigned i = 0; i < selection->count; i++) {
        device gpu = selection->gpus[i];
        char bus[64];
        int code = INVALID;
        read_field(gpu, "pci.bus_id", bus, sizeof bus);
        if (!strcmp(option, "-pl"))
            code = set_power(gpu, bus, value);
        else if (!strcmp(option, "-lgc") || !strcmp(option, "-lmc"))
            code = set_clocks(gpu, bus, value, option[2] == 'm');
        else if (!strcmp(option, "-rgc") || !strcmp(option, "-rmc"))
            code = nvml_set2(option[2] == 'm' ? "nvmlDeviceSetMemoryLockedClocks" : "nvmlDeviceSetGpuLockedClocks", gpu, 0, 0);
        else if (!strcmp(option, "-c"))
            code = set_compute_mode(gpu, bus, value);
        else if (!strcmp(option, "-e"))
            code = set_ecc(gpu, bus, value, &changed);
        else if (!strcmp(option, "-mig"))
            code = set_mig(gpu, bus, value);
        else if (!strcmp(option, "-r") || !strcmp(option, "--gpu-reset"))
            code = reset(gpu, bus);
        if (code) {
            printf("Terminating early due to previous errors.\n");
            return code;
        }
    }
    printf("All done.\n%s", changed ? "Reboot required.\n" : "");
    return 0;
}
