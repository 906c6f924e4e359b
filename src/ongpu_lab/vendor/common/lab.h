/* What the stand-in libraries share: the simulated GPUs and the state of the simulated kernel module.
 *
 * The GPUs are described by an INI file, /etc/ongpu-lab/gpus.ini ($ONGPU_LAB_GPUS overrides it):
 *
 *     [driver]             error.<Function> = CODE    that NVML function fails with CODE
 *     [defaults]           values for every GPU
 *     [gpu0] [gpu1] ...    one section for each GPU, in the order of the PCI bus
 *
 * What changes while a host runs is under /run/ongpu-lab ($ONGPU_LAB_RUN overrides it):
 *
 *     module/version       version of the loaded nvidia module; missing = not loaded
 *     module/flavour       "open" or "proprietary"
 *     module/bound         PCI addresses of the GPUs that it drives; missing = all
 *     module/uvm           exists while nvidia_uvm is loaded
 *     procs/PID            GPU memory that process PID holds, see lab_processes()
 *     fabric               exists while fabric manager has set the NVSwitches up
 *     set/gpuN.KEY         a value that was set through NVML; lost on reboot as on a real host
 */
#ifndef ONGPU_LAB_H
#define ONGPU_LAB_H

#include <stddef.h>

#define LAB_HOST "/etc/ongpu-lab/host.ini" /* exists on lab hosts only */
#define LAB_MAX_GPUS 16
#define LAB_MAX_PROCESSES 64

struct lab_gpu {
    unsigned magic;
    unsigned index; /* as NVML and CUDA count, and N of /dev/nvidiaN */
    char section[16];
};

struct lab_process {
    unsigned pid;
    unsigned long long bytes;
    char name[256];
};

extern struct lab_gpu lab_gpus[LAB_MAX_GPUS];
extern int lab_gpu_count;

/* Reads the INI file again and finds the GPUs that the loaded module can drive. 0 if there is no such file. */
int lab_load(void);

/* The n-th value of `key` in `section`, or NULL. */
const char *lab_get(const char *section, const char *key, int n);

/* A GPU's value: what was set at run time, else its own section, else [defaults], else `fallback`. */
const char *lab_gpu_get(const struct lab_gpu *gpu, const char *key, const char *fallback);

/* Remembers a value until the next boot. 0 if that is not allowed. */
int lab_gpu_set(const struct lab_gpu *gpu, const char *key, const char *value);

/* Forgets what was set. */
void lab_gpu_unset(const struct lab_gpu *gpu, const char *key);

/* 1 while a process holds memory on this GPU, or nvidia-persistenced holds it open: it cannot be reset then. */
int lab_gpu_in_use(const struct lab_gpu *gpu);

/* A value that a GPU keeps over a reboot, as a real one does in its InfoROM: in LAB_STORE ($ONGPU_LAB_STORE overrides
 * it), `gpuN.KEY`. The boot makes `ecc_pending` `ecc`. 0 = there is none; it may not be kept. */
#define LAB_STORE "/var/lib/ongpu-lab/gpus"
int lab_kept(const struct lab_gpu *gpu, const char *key, char *value, size_t size);
int lab_keep(const struct lab_gpu *gpu, const char *key, const char *value);

void lab_compute_capability(const struct lab_gpu *gpu, int *major, int *minor);

/* The state of the NVSwitch fabric, as `STATE,STATUS` of NVML. `fabric = nvswitch` is ready while fabric manager runs. */
const char *lab_fabric(const struct lab_gpu *gpu);

/* 1 and the version of the loaded kernel module, or 0. */
int lab_module_version(char *version, size_t size);
/* The code that the loaded modules answer with, from the file module/NAME; 0 without one. Unloading ends it. */
int lab_module_fault(const char *name);
int lab_uvm_loaded(void);

/* 0 if the caller may open /dev/NAME, else the errno. A missing node is made, by nvidia-modprobe unless for root. */
int lab_node(const char *name, int minor);

/* Runs `nvidia-modprobe FIRST SECOND` (SECOND may be NULL) if it is installed and this is a lab host. */
void lab_modprobe(const char *first, const char *second);

/* What the kernel logs when a client of another version speaks to the module. Only for root, who may write there. */
void lab_report_mismatch(const char *library, const char *module);

/* Processes that hold memory on this GPU now. */
int lab_processes(const struct lab_gpu *gpu, struct lab_process *out, int max);

/* Bytes of frame buffer; `used` holds what processes hold, without `reserved`. */
void lab_memory(const struct lab_gpu *gpu, unsigned long long *total, unsigned long long *used,
                unsigned long long *reserved);

char *lab_trim(char *text);
const char *lab_run_dir(void);

#endif
