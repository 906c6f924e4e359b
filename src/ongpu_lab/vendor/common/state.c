/* The state of the simulated host: loaded module, device nodes, processes that hold GPU memory. */
#include "lab.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
extern char *program_invocation_short_name; /* errno.h declares it for GNU programs only */

#define NVIDIA_MAJOR 195
#define MIB (1ull << 20)
#define PERSISTENCED "/run/nvidia-persistenced/nvidia-persistenced.pid"

int lab_module_version(char *version, size_t size)
{
    char path[256];
    snprintf(path, sizeof path, "%s/module/version", lab_run_dir());
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    int found = fgets(version, (int)size, file) != NULL;
    fclose(file);
    if (found)
        version[strcspn(version, "\n")] = 0;
    return found;
}

const char *lab_fabric(const struct lab_gpu *gpu)
{
    char path[256];
    const char *value = lab_gpu_get(gpu, "fabric", "0,0");
    if (strcmp(value, "nvswitch") != 0)
        return value;
    snprintf(path, sizeof path, "%s/fabric", lab_run_dir());
    return access(path, F_OK) == 0 ? "3,0" : "2,0";
}

int lab_uvm_loaded(void)
{
    char path[256];
    snprintf(path, sizeof path, "%s/module/uvm", lab_run_dir());
    return access(path, F_OK) == 0;
}

int lab_module_fault(const char *name)
{
    char path[256], text[16] = "";
    snprintf(path, sizeof path, "%s/module/%s", lab_run_dir(), name);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    int code = fgets(text, sizeof text, file) ? atoi(text) : 0;
    fclose(file);
    return code;
}

static void run(char *const arguments[])
{
    pid_t child;
    if (access(LAB_HOST, F_OK) == 0 && access(arguments[0], X_OK) == 0
        && posix_spawn(&child, arguments[0], NULL, NULL, arguments, environ) == 0)
        waitpid(child, NULL, 0);
}

void lab_modprobe(const char *first, const char *second)
{
    char *const arguments[] = {"/usr/bin/nvidia-modprobe", (char *)first, (char *)second, NULL};
    if (!getenv("ONGPU_LAB_DEV"))
        run(arguments);
}

void lab_report_mismatch(const char *library, const char *module)
{
    char client[128], has[128], version[128];
    char *const arguments[] = {"/usr/lib/ongpu-lab/kmsg", "3", client, has, version,
                               "NVRM: kernel module and all NVIDIA driver components have", "NVRM: the same version.",
                               NULL};
    snprintf(client, sizeof client, "NVRM: API mismatch: the client '%s' (pid %ld)", program_invocation_short_name,
             (long)getpid());
    snprintf(has, sizeof has, "NVRM: has the version %s, but this kernel module has", library);
    snprintf(version, sizeof version, "NVRM: the version %s. Please make sure that this", module);
    if (geteuid() == 0)
        run(arguments);
}

/* The real libraries make missing nodes when root runs them, and ask the setuid nvidia-modprobe for other users. */
static void make_node(const char *path, int minor)
{
    if (minor < 0 || getenv("ONGPU_LAB_DEV") || access(LAB_HOST, F_OK) != 0)
        return;
    if (geteuid() != 0) {
        char option[16];
        snprintf(option, sizeof option, "-c=%d", minor);
        lab_modprobe(option, NULL);
        return;
    }
    mode_t old = umask(0);
    if (mknod(path, S_IFCHR | 0666, makedev(NVIDIA_MAJOR, (unsigned)minor)) != 0)
        errno = 0; /* the open() below says what is wrong */
    umask(old);
}

int lab_node(const char *name, int minor)
{
    const char *override = getenv("ONGPU_LAB_DEV");
    char path[256];
    snprintf(path, sizeof path, "%s/%s", override ? override : "/dev", name);
    if (access(path, F_OK) != 0)
        make_node(path, minor);
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    if (descriptor >= 0) {
        close(descriptor);
        return 0;
    }
    /* No driver stands behind a node in the lab: ENXIO and its like mean that the caller had the permission. */
    switch (errno) {
    case EACCES:
    case EPERM:
    case ENOENT:
        return errno;
    default:
        return 0;
    }
}

/* Field 22 of /proc/PID/stat: start time in clock ticks since boot; 0 if there is no such process.
 * The command name (field 2) may hold blanks and brackets, so count from the last bracket. */
static unsigned long long start_time(unsigned pid)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    size_t length = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[length] = 0;
    char *field = strrchr(line, ')');
    for (int number = 2; field && number < 22; number++)
        field = strchr(field + 1, ' ');
    return field ? strtoull(field + 1, NULL, 10) : 0;
}

static int add(struct lab_process *out, int count, int max, unsigned pid, double mib, const char *name)
{
    if (count == max)
        return count;
    out[count].pid = pid;
    out[count].bytes = (unsigned long long)(mib * (double)MIB);
    snprintf(out[count].name, sizeof out[count].name, "%s", name);
    return count + 1;
}

/* procs/PID: a line `start N` (field 22 of /proc/PID/stat) and lines `GPU_INDEX MIB NAME`. It counts only while
 * the process with that start time lives, so a killed runner frees its memory without anyone's help. */
static int from_file(const char *directory, unsigned pid, unsigned index, struct lab_process *out, int count, int max)
{
    char path[512], line[512];
    snprintf(path, sizeof path, "%s/%u", directory, pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return count;
    unsigned long long declared = 0;
    double total = 0;
    char name[256] = "";
    while (fgets(line, sizeof line, file)) {
        unsigned gpu;
        double mib;
        char text[256] = "";
        if (sscanf(line, "start %llu", &declared) == 1)
            continue;
        if (sscanf(line, "%u %lf %255[^\n]", &gpu, &mib, text) >= 2 && gpu == index) {
            total += mib;
            snprintf(name, sizeof name, "%s", text);
        }
    }
    fclose(file);
    if (total <= 0 || declared == 0 || declared != start_time(pid))
        return count;
    return add(out, count, max, pid, total, name);
}

static int from_directory(const struct lab_gpu *gpu, struct lab_process *out, int count, int max)
{
    char path[256];
    snprintf(path, sizeof path, "%s/procs", lab_run_dir());
    DIR *directory = opendir(path);
    if (!directory)
        return count;
    struct dirent *item;
    while ((item = readdir(directory)) != NULL) {
        char *end;
        unsigned long pid = strtoul(item->d_name, &end, 10);
        if (pid > 0 && *end == 0)
            count = from_file(path, (unsigned)pid, gpu->index, out, count, max);
    }
    closedir(directory);
    return count;
}

/* `process = PID, MIB, NAME` in the INI file: a process that is there for ever (tests, faults). */
static int from_config(const struct lab_gpu *gpu, struct lab_process *out, int count, int max)
{
    const char *value;
    for (int n = 0; (value = lab_get(gpu->section, "process", n)) != NULL; n++) {
        unsigned pid;
        double mib;
        char name[256] = "";
        if (sscanf(value, "%u , %lf , %255[^\n]", &pid, &mib, name) >= 2)
            count = add(out, count, max, pid, mib, name);
    }
    return count;
}

static int by_pid(const void *left, const void *right)
{
    const struct lab_process *a = left, *b = right;
    return a->pid < b->pid ? -1 : a->pid > b->pid;
}

int lab_processes(const struct lab_gpu *gpu, struct lab_process *out, int max)
{
    int count = from_config(gpu, out, 0, max);
    count = from_directory(gpu, out, count, max);
    qsort(out, (size_t)count, sizeof *out, by_pid);
    return count;
}

int lab_gpu_in_use(const struct lab_gpu *gpu)
{
    struct lab_process processes[LAB_MAX_PROCESSES];
    return lab_processes(gpu, processes, LAB_MAX_PROCESSES) > 0 || access(PERSISTENCED, F_OK) == 0;
}

void lab_memory(const struct lab_gpu *gpu, unsigned long long *total, unsigned long long *used,
                unsigned long long *reserved)
{
    *total = *used = *reserved = 0;
    sscanf(lab_gpu_get(gpu, "memory", "24564,0,300"), "%llu,%llu,%llu", total, used, reserved);
    *total *= MIB;
    *used *= MIB;
    *reserved *= MIB;
    struct lab_process processes[LAB_MAX_PROCESSES];
    int count = lab_processes(gpu, processes, LAB_MAX_PROCESSES);
    for (int i = 0; i < count; i++)
        *used += processes[i].bytes;
    if (*used + *reserved > *total)
        *used = *total - *reserved;
}
