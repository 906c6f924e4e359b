/* The table that nvidia-smi prints without options; the layout is that of nvidia-smi 550. */
#include "smi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A field without its unit and brackets: "N/A", or "ERR!" as the table shows a failed reading. */
static const char *cell(device gpu, const char *name, char *out, size_t size)
{
    const struct field *field = find_field(name);
    int code = field->read(gpu, field->argument, out, size);
    if (code == NOT_SUPPORTED || code == FUNCTION_NOT_FOUND)
        snprintf(out, size, "N/A");
    else if (code)
        snprintf(out, size, "ERR!");
    return out;
}

static int is_number(const char *text)
{
    return *text >= '0' && *text <= '9';
}

/* A number with its unit, or the text alone. */
static const char *with_unit(device gpu, const char *name, const char *unit, char *out, size_t size)
{
    char value[128];
    cell(gpu, name, value, sizeof value);
    snprintf(out, size, "%s%s", value, is_number(value) ? unit : "");
    return out;
}

#define GPU_NAME_WIDTH 27
#define PROCESS_NAME_WIDTH 38

/* A long path keeps its end, where the program's name is. */
static void keep_end(char *text, size_t width)
{
    size_t length = strlen(text);
    if (length > width) {
        memmove(text + 3, text + length - (width - 3), width - 3 + 1);
        memcpy(text, "...", 3);
    }
}

static void keep_beginning(char *text, size_t width)
{
    if (strlen(text) > width)
        memcpy(text + width - 3, "...", 4);
}

static void first_line(device gpu, unsigned index)
{
    char name[128], persistence[32], bus[64], display[32], ecc[32], mode[32];
    cell(gpu, "name", name, sizeof name);
    keep_beginning(name, GPU_NAME_WIDTH);
    cell(gpu, "persistence_mode", persistence, sizeof persistence);
    cell(gpu, "pci.bus_id", bus, sizeof bus);
    cell(gpu, "display_active", display, sizeof display);
    cell(gpu, "ecc.mode.current", mode, sizeof mode);
    if (!strcmp(mode, "Enabled"))
        cell(gpu, "ecc.errors.uncorrected.volatile.total", ecc, sizeof ecc);
    else
        snprintf(ecc, sizeof ecc, "%s", strcmp(mode, "Disabled") ? mode : "Off");
    printf("| %3u  %-27s    %-3s |   %s %3s | %20s |\n", index, name, strcmp(persistence, "Enabled") ? "Off" : "On", bus,
           strcmp(display, "Enabled") ? "Off" : "On", ecc);
}

static void second_line(device gpu)
{
    char fan[32], celsius[32], pstate[32], draw[32], limit[32], power[80], used[32], total[32], load[32], mode[32];
    with_unit(gpu, "fan.speed", "%", fan, sizeof fan);
    with_unit(gpu, "temperature.gpu", "C", celsius, sizeof celsius);
    cell(gpu, "pstate", pstate, sizeof pstate);
    cell(gpu, "power.draw", draw, sizeof draw);
    cell(gpu, "power.limit", limit, sizeof limit);
    snprintf(draw + strcspn(draw, "."), 2, "%s", is_number(draw) ? "W" : "");
    snprintf(limit + strcspn(limit, "."), 2, "%s", is_number(limit) ? "W" : "");
    snprintf(power, sizeof power, "%s / %5s", draw, limit);
    with_unit(gpu, "memory.used", "MiB", used, sizeof used);
    with_unit(gpu, "memory.total", "MiB", total, sizeof total);
    with_unit(gpu, "utilization.gpu", "%", load, sizeof load);
    cell(gpu, "compute_mode", mode, sizeof mode);
    printf("| %3s %5s %5s %23s | %10s / %9s | %7s %12s |\n", fan, celsius, pstate, power, used, total, load, mode);
}

static void third_line(device gpu)
{
    char mig[32];
    cell(gpu, "mig.mode.current", mig, sizeof mig);
    printf("| %39s | %22s | %20s |\n", "", "", mig);
}

static void print_processes(const struct selection *selection)
{
    const char *line = "+-----------------------------------------------------------------------------------------+\n";
    int any = 0;
    printf("%89s\n%s", "", line);
    printf("| Processes:                                                                              |\n"
           "|  GPU   GI   CI        PID   Type   Process name                              GPU Memory |\n"
           "|        ID   ID                                                               Usage      |\n"
           "|=========================================================================================|\n");
    for (unsigned i = 0; i < selection->count; i++) {
        struct process found[MAX_PROCESSES];
        unsigned number = MAX_PROCESSES;
        if (nvml_call3("nvmlDeviceGetComputeRunningProcesses_v3", selection->gpus[i], &number, found) != SUCCESS)
            continue;
        for (unsigned p = 0; p < number; p++, any = 1) {
            char name[256], used[32];
            process_name(found[p].pid, name, sizeof name);
            keep_end(name, PROCESS_NAME_WIDTH);
            if (found[p].used == ~0ull)
                snprintf(used, sizeof used, "N/A");
            else
                snprintf(used, sizeof used, "%lluMiB", found[p].used >> 20);
            printf("|  %3u   N/A  N/A %9u      C   %-38s  %12s |\n", selection->indices[i], found[p].pid, name, used);
        }
    }
    if (!any)
        printf("|  No running processes found                                                             |\n");
    printf("%s", line);
}

int print_table(const struct selection *selection)
{
    const char *line = "+-----------------------------------------+------------------------+----------------------+\n";
    char version[80] = "", stamp[64], cuda_text[16];
    int cuda = 0;
    time_t now = time(NULL);
    nvml_text("nvmlSystemGetDriverVersion", NULL, version, sizeof version);
    nvml_call1("nvmlSystemGetCudaDriverVersion_v2", &cuda);
    snprintf(cuda_text, sizeof cuda_text, "%d.%d", cuda / 1000, cuda % 1000 / 10);
    strftime(stamp, sizeof stamp, "%a %b %e %H:%M:%S %Y", localtime(&now));
    printf("%s       \n", stamp);
    printf("+-----------------------------------------------------------------------------------------+\n");
    printf("| NVIDIA-SMI %-22s Driver Version: %-14s CUDA Version: %-8s |\n", SMI_VERSION, version, cuda_text);
    printf("|-----------------------------------------+------------------------+----------------------+\n"
           "| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |\n"
           "| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |\n"
           "|                                         |                        |               MIG M. |\n"
           "|=========================================+========================+======================|\n");
    for (unsigned i = 0; i < selection->count; i++) {
        first_line(selection->gpus[i], selection->indices[i]);
        second_line(selection->gpus[i]);
        third_line(selection->gpus[i]);
        printf("%s", line);
    }
    print_processes(selection);
    return 0;
}
