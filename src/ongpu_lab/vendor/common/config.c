/* The INI file with the simulated GPUs. */
#include "lab.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_ENTRIES 2048

struct entry {
    char section[24];
    char key[64];
    char value[256];
};

static struct entry entries[MAX_ENTRIES];
static int entry_count;
static char present[LAB_MAX_GPUS];

struct lab_gpu lab_gpus[LAB_MAX_GPUS];
int lab_gpu_count;

char *lab_trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    char *end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1]))
        *--end = 0;
    return text;
}

const char *lab_run_dir(void)
{
    const char *override = getenv("ONGPU_LAB_RUN");
    return override ? override : "/run/ongpu-lab";
}

static void add_section(const char *section)
{
    int number;
    if (sscanf(section, "gpu%d", &number) == 1 && number >= 0 && number < LAB_MAX_GPUS)
        present[number] = 1;
}

static void add_entry(const char *section, char *line)
{
    char *equals = strchr(line, '=');
    if (!equals || entry_count == MAX_ENTRIES)
        return;
    *equals = 0;
    struct entry *entry = &entries[entry_count++];
    snprintf(entry->section, sizeof entry->section, "%s", section);
    snprintf(entry->key, sizeof entry->key, "%s", lab_trim(line));
    snprintf(entry->value, sizeof entry->value, "%s", lab_trim(equals + 1));
}

static int read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    char line[512];
    char section[24] = "driver";
    while (fgets(line, sizeof line, file)) {
        char *text = lab_trim(line);
        if (*text == '[') {
            snprintf(section, sizeof section, "%.*s", (int)strcspn(text + 1, "]"), text + 1);
            add_section(section);
        } else if (*text && *text != '#' && *text != ';') {
            add_entry(section, text);
        }
    }
    fclose(file);
    return 1;
}

/* module/bound lists the PCI addresses of the GPUs that the loaded module drives, each as "0000:01:00.0". */
static int driven_by_loaded_module(const struct lab_gpu *gpu)
{
    char path[256], line[64];
    const char *bus_id = lab_gpu_get(gpu, "bus_id", "");
    size_t length = strlen(bus_id);
    int found = 0;
    snprintf(path, sizeof path, "%s/module/bound", lab_run_dir());
    FILE *file = fopen(path, "r");
    if (!file)
        return 1;
    while (!found && fgets(line, sizeof line, file)) {
        const char *address = lab_trim(line);
        size_t tail = strlen(address);
        found = tail > 0 && tail <= length && !strcasecmp(bus_id + length - tail, address);
    }
    fclose(file);
    return found;
}

/* Nothing of this works outside of a lab host; tests name their own files. */
static const char *gpus_file(void)
{
    const char *override = getenv("ONGPU_LAB_GPUS");
    if (override)
        return override;
    return access(LAB_HOST, F_OK) == 0 ? "/etc/ongpu-lab/gpus.ini" : NULL;
}

int lab_load(void)
{
    const char *path = gpus_file();
    entry_count = lab_gpu_count = 0;
    memset(present, 0, sizeof present);
    if (!path || !read_file(path))
        return 0;
    for (unsigned number = 0; number < LAB_MAX_GPUS; number++) {
        if (!present[number])
            continue;
        struct lab_gpu *gpu = &lab_gpus[lab_gpu_count];
        *gpu = (struct lab_gpu){.magic = 0x4e564d4c, .index = (unsigned)lab_gpu_count};
        snprintf(gpu->section, sizeof gpu->section, "gpu%u", number);
        if (driven_by_loaded_module(gpu))
            lab_gpu_count++;
    }
    return 1;
}

const char *lab_get(const char *section, const char *key, int n)
{
    for (int i = 0; i < entry_count; i++)
        if (!strcmp(entries[i].section, section) && !strcmp(entries[i].key, key) && n-- == 0)
            return entries[i].value;
    return NULL;
}

static void setting_path(const struct lab_gpu *gpu, const char *key, char *path, size_t size)
{
    snprintf(path, size, "%s/set/%s.%s", lab_run_dir(), gpu->section, key);
}

const char *lab_gpu_get(const struct lab_gpu *gpu, const char *key, const char *fallback)
{
    static _Thread_local char setting[64];
    char path[256];
    setting_path(gpu, key, path, sizeof path);
    FILE *file = fopen(path, "r");
    if (file) {
        char *line = fgets(setting, sizeof setting, file);
        fclose(file);
        if (line)
            return lab_trim(line);
    }
    const char *value = lab_get(gpu->section, key, 0);
    if (!value)
        value = lab_get("defaults", key, 0);
    return value ? value : fallback;
}

int lab_gpu_set(const struct lab_gpu *gpu, const char *key, const char *value)
{
    char path[256];
    snprintf(path, sizeof path, "%s/set", lab_run_dir());
    mkdir(path, 0755);
    setting_path(gpu, key, path, sizeof path);
    FILE *file = geteuid() == 0 ? fopen(path, "w") : NULL;
    if (!file)
        return 0;
    fprintf(file, "%s\n", value);
    return fclose(file) == 0;
}

void lab_gpu_unset(const struct lab_gpu *gpu, const char *key)
{
    char path[256];
    setting_path(gpu, key, path, sizeof path);
    unlink(path);
}

static const char *store(void)
{
    const char *override = getenv("ONGPU_LAB_STORE");
    return override ? override : LAB_STORE;
}

int lab_kept(const struct lab_gpu *gpu, const char *key, char *value, size_t size)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s.%s", store(), gpu->section, key);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    int found = fgets(value, (int)size, file) != NULL;
    fclose(file);
    return found;
}

int lab_keep(const struct lab_gpu *gpu, const char *key, const char *value)
{
    char path[256];
    mkdir("/var/lib/ongpu-lab", 0755);
    mkdir(store(), 0755);
    snprintf(path, sizeof path, "%s/%s.%s", store(), gpu->section, key);
    FILE *file = geteuid() == 0 ? fopen(path, "w") : NULL;
    if (!file)
        return 0;
    fprintf(file, "%s\n", value);
    return fclose(file) == 0;
}

void lab_compute_capability(const struct lab_gpu *gpu, int *major, int *minor)
{
    *major = *minor = 0;
    sscanf(lab_gpu_get(gpu, "compute_cap", "8.9"), "%d.%d", major, minor);
}
