/* Options, and what nvidia-smi says when NVML fails. All of it goes to standard output, as with the real program. */
#include "smi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COULD_NOT_COMMUNICATE                                                                          \
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the " \
    "latest NVIDIA driver is installed and running.\n\n"

struct options {
    const char *gpu_fields, *process_fields, *format, *only, *persistence;
    const char *setting, *value; /* -pl 250 */
    const char *lacking; /* an option of the real program that this one has not */
    int list, query;
};

/* Exit codes follow the NVML code where nvidia-smi has one of its own (measured with 535 and 615); else 255. */
static int exit_code(int code)
{
    static const int same[] = {2, 3, 4, 6, 8, 9, 11, 12, 13, 14, 15, 17, 18};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (same[i] == code)
            return code;
    return 255;
}

/* NVML's "12.580.95.05" is shown as "580.95". */
static void print_library_version(void)
{
    char text[80] = "";
    int major = 0, minor = 0;
    if (nvml_text("nvmlSystemGetNVMLVersion", NULL, text, sizeof text) == SUCCESS
        && sscanf(text, "%*d.%d.%d", &major, &minor) == 2)
        printf("NVML library version: %d.%02d\n", major, minor);
}

static int complain_about_start(int code)
{
    if (code == 9)
        printf(COULD_NOT_COMMUNICATE);
    else if (code == LIBRARY_NOT_FOUND)
        printf("NVIDIA-SMI couldn't find libnvidia-ml.so library in your system. Please make sure that the NVIDIA "
               "Display Driver is properly installed and present in your system.\n"
               "Please also try adding directory that contains libnvidia-ml.so to your system PATH.\n\n");
    else
        printf("Failed to initialize NVML: %s\n", nvml_error(code));
    if (code == 18)
        print_library_version();
    return exit_code(code);
}

static int complain_about_gpu(unsigned index, int code, int listing)
{
    if (code == NO_PERMISSION) {
        printf("No devices were found. Please make sure /dev/nvidia* files are readable by current user.\n");
        return NO_PERMISSION;
    }
    printf("Unable to determine the device handle for %s%u: %s%s\n\n\n", listing ? "gpu " : "GPU", index,
           nvml_error(code), code == GPU_IS_LOST ? ".  Reboot the system to recover this GPU" : "");
    return exit_code(code);
}

/* -i takes one GPU or several, separated by commas. */
static int chosen(device gpu, unsigned index, const char *only)
{
    char uuid[96] = "", number[16], list[256];
    if (!only)
        return 1;
    nvml_text("nvmlDeviceGetUUID", gpu, uuid, sizeof uuid);
    snprintf(number, sizeof number, "%u", index);
    snprintf(list, sizeof list, "%s", only);
    for (char *item = strtok(list, ","); item; item = strtok(NULL, ","))
        if (!strcmp(item, number) || !strcasecmp(item, uuid))
            return 1;
    return 0;
}

static void print_listed(device gpu, unsigned index)
{
    char name[96] = "", uuid[96] = "";
    nvml_text("nvmlDeviceGetName", gpu, name, sizeof name);
    nvml_text("nvmlDeviceGetUUID", gpu, uuid, sizeof uuid);
    printf("GPU %u: %s (UUID: %s)\n", index, name, uuid);
}

/* Finds the GPUs; -L prints each as it is found. Returns 0, or the exit code after the complaint. */
static int find_gpus(struct selection *selection, const struct options *options)
{
    unsigned count = 0;
    int code = nvml_call1("nvmlDeviceGetCount_v2", &count);
    if (code) {
        printf("Unable to query the number of GPUs: %s\n", nvml_error(code));
        return exit_code(code);
    }
    if (count == 0) {
        printf(options->list ? "No devices found.\n" : "No devices were found\n");
        return options->list ? 0 : NOT_FOUND;
    }
    for (unsigned index = 0; index < count && index < MAX_GPUS; index++) {
        device gpu;
        code = nvml_index(index, &gpu);
        if (code)
            return complain_about_gpu(index, code, options->list);
        if (!chosen(gpu, index, options->only))
            continue;
        if (options->list)
            print_listed(gpu, index);
        selection->gpus[selection->count] = gpu;
        selection->indices[selection->count++] = index;
    }
    if (selection->count == 0) {
        printf("No devices were found\n");
        return NOT_FOUND;
    }
    return 0;
}

static int set_persistence(const struct selection *selection, const char *wanted)
{
    unsigned mode = !strcmp(wanted, "1") || !strcmp(wanted, "ENABLED");
    const char *word = mode ? "Enabled" : "Disabled";
    for (unsigned i = 0; i < selection->count; i++) {
        char bus[64], now[32];
        const struct field *field = find_field("pci.bus_id"), *current = find_field("persistence_mode");
        field->read(selection->gpus[i], field->argument, bus, sizeof bus);
        if (current->read(selection->gpus[i], current->argument, now, sizeof now) == SUCCESS && !strcmp(now, word)) {
            printf("Persistence mode is already %s for GPU %s.\n", word, bus);
            continue;
        }
        int code = nvml_set("nvmlDeviceSetPersistenceMode", selection->gpus[i], mode);
        if (code) {
            printf("Unable to set persistence mode for GPU %s: %s\nTerminating early due to previous errors.\n", bus,
                   nvml_error(code));
            return exit_code(code);
        }
        printf("%s persistence mode for GPU %s.\n", word, bus);
    }
    printf("All done.\n");
    return 0;
}

/* "--name=VALUE" -> VALUE, else NULL. */
static const char *after(const char *argument, const char *name)
{
    size_t length = strlen(name);
    return strncmp(argument, name, length) == 0 ? argument + length : NULL;
}

/* Part of the real program, but not of this one. */
static int is_lacking(const char *argument)
{
    static const char *const known[] = {"-x", "topo", "pmon", "dmon", "mig", "nvlink", "-l", "-lms", "-h", "--help", "--version", "--query-remapped-rows",
                                        "--query-retired-pages", "--help-query-gpu"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strncmp(argument, known[i], strlen(known[i])) && strchr("=", argument[strlen(known[i])]))
            return 1;
    return 0;
}

/* Returns 0, or the exit code after the complaint. */
static int parse(int count, char **arguments, struct options *options)
{
    for (int i = 1; i < count; i++) {
        const char *argument = arguments[i], *next = i + 1 < count ? arguments[i + 1] : NULL, *value;
        if (!strcmp(argument, "-L") || !strcmp(argument, "--list-gpus"))
            options->list = 1;
        else if (!strcmp(argument, "-q") || !strcmp(argument, "--query"))
            options->query = 1;
        else if (!strcmp(argument, "-i") && next)
            options->only = arguments[++i];
        else if (!strcmp(argument, "-pm") && next)
            options->persistence = arguments[++i];
        else if (is_setting(argument) && (next || !takes_value(argument))) {
            options->setting = argument;
            options->value = takes_value(argument) ? arguments[++i] : "";
        } else if ((value = after(argument, "--id=")))
            options->only = value;
        else if ((value = after(argument, "--query-gpu=")))
            options->gpu_fields = value;
        else if ((value = after(argument, "--query-compute-apps=")))
            options->process_fields = value;
        else if ((value = after(argument, "--format=")))
            options->format = value;
        else if ((value = after(argument, "--persistence-mode=")))
            options->persistence = value;
        else if (is_lacking(argument)) {
            options->lacking = argument;
            break;
        } else {
            printf("ERROR: Option %s is not recognized. Please run 'nvidia-smi -h'.\n\n", argument);
            return 255;
        }
    }
    return 0;
}

int main(int count, char **arguments)
{
    struct options options = {0};
    struct selection selection = {0};
    int code = parse(count, arguments, &options);
    if (code)
        return code;
    code = nvml_open();
    if (code)
        return complain_about_start(code);
    if (options.lacking) {
        fprintf(stderr, "nvidia-smi: this is the ongpu lab's stand-in, which does not know %s\n", options.lacking);
        return 255;
    }
    code = find_gpus(&selection, &options);
    if (code || options.list)
        return code;
    if (options.query)
        return query_all(&selection);
    if (options.gpu_fields)
        return query_gpus(&selection, options.gpu_fields, options.format);
    if (options.process_fields)
        return query_processes(&selection, options.process_fields, options.format);
    if (options.persistence)
        return set_persistence(&selection, options.persistence);
    if (options.setting) {
        code = change_setting(&selection, options.setting, options.value);
        return code ? exit_code(code) : 0;
    }
    return print_table(&selection);
}
