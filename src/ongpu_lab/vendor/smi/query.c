/* --query-gpu and --query-compute-apps: comma separated values. */
#include "smi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FIELDS 128

struct format {
    int header, units;
};

/* "csv[,noheader][,nounits]". Returns 0, or the exit code after the complaint. */
static int parse_format(const char *text, struct format *format)
{
    char copy[128];
    *format = (struct format){1, 1};
    if (!text) {
        printf("\"--format=\" switch is missing. Please run 'nvidia-smi -h' for help.\n\n");
        return 2;
    }
    snprintf(copy, sizeof copy, "%s", text);
    for (char *word = strtok(copy, ","); word; word = strtok(NULL, ",")) {
        while (*word == ' ')
            word++;
        if (!strcmp(word, "noheader"))
            format->header = 0;
        else if (!strcmp(word, "nounits"))
            format->units = 0;
        else if (strcmp(word, "csv") != 0) {
            printf("Format modifier is not recognized.\n");
            return 2;
        }
    }
    return 0;
}

static void print_value(int code, const char *value, const char *unit, const struct format *format)
{
    if (code == NOT_FOUND)
        printf("[Not Found]");
    else if (code)
        printf("%s", shown_error(code));
    else if (*unit && format->units)
        printf("%s %s", value, unit);
    else
        printf("%s", value);
}

static void print_head(const char *name, const char *unit)
{
    if (*unit)
        printf("%s [%s]", name, unit);
    else
        printf("%s", name);
}

static int unknown(const char *name)
{
    printf("Field \"%s\" is not a valid field to query.\n\n", name);
    return 2;
}

int query_gpus(const struct selection *selection, const char *names, const char *format_text)
{
    static const struct field *wanted[MAX_FIELDS];
    struct format format;
    char copy[4096];
    int count = 0;
    snprintf(copy, sizeof copy, "%s", names);
    for (char *name = strtok(copy, ", "); name && count < MAX_FIELDS; name = strtok(NULL, ", ")) {
        wanted[count] = find_field(name);
        if (!wanted[count++])
            return unknown(name);
    }
    int code = parse_format(format_text, &format);
    if (code)
        return code;
    for (int i = 0; format.header && i < count; i++) {
        print_head(wanted[i]->shown ? wanted[i]->shown : wanted[i]->name, wanted[i]->unit);
        printf("%s", i + 1 < count ? ", " : "\n");
    }
    for (unsigned gpu = 0; gpu < selection->count; gpu++) {
        for (int i = 0; i < count; i++) {
            char value[256] = "";
            code = wanted[i]->read(selection->gpus[gpu], wanted[i]->argument, value, sizeof value);
            print_value(code, value, wanted[i]->unit, &format);
            printf("%s", i + 1 < count ? ", " : "\n");
        }
    }
    return 0;
}

/* A process query's field: "g:NAME" is read as the GPU's field NAME. */
static const char *const process_fields[][3] = {
    {"pid", "pid", ""},
    {"process_name", "process_name", ""},
    {"name", "process_name", ""},
    {"used_gpu_memory", "used_gpu_memory", "MiB"},
    {"used_memory", "used_gpu_memory", "MiB"},
    {"gpu_uuid", "gpu_uuid", ""},
    {"gpu_name", "gpu_name", ""},
    {"gpu_bus_id", "gpu_bus_id", ""},
    {"gpu_serial", "gpu_serial", ""},
    {"timestamp", "timestamp", ""},
};

static int find_process_field(const char *name)
{
    for (size_t i = 0; i < sizeof process_fields / sizeof *process_fields; i++)
        if (!strcmp(process_fields[i][0], name))
            return (int)i;
    return -1;
}

static void print_process(device gpu, const struct process *process, int which, const struct format *format)
{
    const char *name = process_fields[which][1];
    char value[256] = "";
    int code = SUCCESS;
    if (!strcmp(name, "pid"))
        snprintf(value, sizeof value, "%u", process->pid);
    else if (!strcmp(name, "process_name"))
        process_name(process->pid, value, sizeof value);
    else if (!strcmp(name, "used_gpu_memory"))
        code = process->used == ~0ull ? NOT_SUPPORTED
                                       : (snprintf(value, sizeof value, "%llu", process->used >> 20), SUCCESS);
    else {
        const struct field *field = find_field(name);
        code = field->read(gpu, field->argument, value, sizeof value);
    }
    print_value(code, value, process_fields[which][2], format);
}

int query_processes(const struct selection *selection, const char *names, const char *format_text)
{
    int wanted[MAX_FIELDS], count = 0;
    struct format format;
    char copy[1024];
    snprintf(copy, sizeof copy, "%s", names);
    for (char *name = strtok(copy, ", "); name && count < MAX_FIELDS; name = strtok(NULL, ", ")) {
        wanted[count] = find_process_field(name);
        if (wanted[count++] < 0)
            return unknown(name);
    }
    int code = parse_format(format_text, &format);
    if (code)
        return code;
    for (int i = 0; format.header && i < count; i++) {
        print_head(process_fields[wanted[i]][1], process_fields[wanted[i]][2]);
        printf("%s", i + 1 < count ? ", " : "\n");
    }
    for (unsigned gpu = 0; gpu < selection->count; gpu++) {
        struct process processes[MAX_PROCESSES];
        unsigned number = MAX_PROCESSES;
        code = nvml_call3("nvmlDeviceGetComputeRunningProcesses_v3", selection->gpus[gpu], &number, processes);
        for (unsigned p = 0; code == SUCCESS && p < number; p++) {
            for (int i = 0; i < count; i++) {
                print_process(selection->gpus[gpu], &processes[p], wanted[i], &format);
                printf("%s", i + 1 < count ? ", " : "\n");
            }
        }
    }
    return 0;
}

int query_all(const struct selection *selection)
{
    char licence[80], bus[64];
    const struct field *field = find_field("pci.bus_id");
    for (unsigned i = 0; i < selection->count; i++) {
        if (nvml_text("nvmlLabLicence", selection->gpus[i], licence, sizeof licence) != SUCCESS) {
            fprintf(stderr, "nvidia-smi: this is the ongpu lab's stand-in, which knows -q of vGPU guests only\n");
            return 255;
        }
        if (i == 0)
            printf("\n==============NVSMI LOG==============\n\n");
        field->read(selection->gpus[i], field->argument, bus, sizeof bus);
        printf("GPU %s\n    GPU Virtualization Mode\n        Virtualization Mode               : VGPU\n"
               "    vGPU Software Licensed Product\n        License Status                    : %s\n", bus, licence);
    }
    return 0;
}
