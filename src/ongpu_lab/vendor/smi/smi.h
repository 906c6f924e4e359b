/* The lab's own nvidia-smi, for machines that cannot fetch NVIDIA's: -L, the table, --query-gpu,
 * --query-compute-apps, -pm and what set.c sets. Texts and exit codes are held against recordings of the real program.
 */
#ifndef ONGPU_LAB_SMI_H
#define ONGPU_LAB_SMI_H

#include <stddef.h>

typedef void *device;
typedef unsigned long long u64;

enum { SUCCESS = 0, INVALID = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4, NOT_FOUND = 6, LIBRARY_NOT_FOUND = 12,
       FUNCTION_NOT_FOUND = 13, GPU_IS_LOST = 15, IN_USE = 19 };

#define MAX_GPUS 16
#define MAX_PROCESSES 64

struct selection {
    device gpus[MAX_GPUS];
    unsigned indices[MAX_GPUS];
    unsigned count;
};

struct memory {
    unsigned version;
    u64 total, reserved, free, used;
};

struct process {
    unsigned pid;
    u64 used;
    unsigned gpu_instance, compute_instance;
};

/* nvml.c: NVML functions by name; all calls return an NVML code, 13 if the library lacks the function. */
int nvml_open(void);
int nvml_call1(const char *function, void *first);
int nvml_call2(const char *function, device gpu, void *out);
int nvml_call3(const char *function, device gpu, void *first, void *second);
int nvml_of(const char *function, device gpu, unsigned which, void *out);
int nvml_of2(const char *function, device gpu, int first, int second, void *out);
int nvml_remapped_rows(device gpu, unsigned values[4]);
int nvml_index(unsigned index, device *gpu);
int nvml_text(const char *function, device gpu, char *out, unsigned size);
int nvml_set(const char *function, device gpu, unsigned value);
int nvml_set2(const char *function, device gpu, unsigned first, unsigned second);
const char *nvml_error(int code);
void process_name(unsigned pid, char *out, unsigned size);

/* fields.c */
struct field {
    const char *name;  /* as asked for */
    const char *shown; /* as the header shows it */
    const char *unit;  /* in the header and after a number; "" if none */
    int (*read)(device gpu, const char *argument, char *out, size_t size);
    const char *argument;
};
const struct field *find_field(const char *name);
const char *shown_error(int code);

int query_gpus(const struct selection *selection, const char *fields, const char *format);
/* -q, of which only a vGPU guest's licence is known. */
int query_all(const struct selection *selection);
int query_processes(const struct selection *selection, const char *fields, const char *format);
/* set.c: -pl, -lgc, -rgc, -lmc, -rmc, -c, -e. Returns NVML's code, or 0. */
int is_setting(const char *option);
int takes_value(const char *option);
int change_setting(const struct selection *selection, const char *option, const char *value);

int print_table(const struct selection *selection);

#endif
