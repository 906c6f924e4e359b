/* Who a GPU is: name, UUID, architecture, place on the PCI bus. */
#include "nvml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

DEVICE_STRING(nvmlDeviceGetName, "name", "NVIDIA GPU")
DEVICE_STRING(nvmlDeviceGetUUID, "uuid", "GPU-00000000-0000-0000-0000-000000000000")
DEVICE_STRING(nvmlDeviceGetSerial, "serial", "unsupported")
DEVICE_STRING(nvmlDeviceGetVbiosVersion, "vbios", "96.00.00.00.01")
DEVICE_STRING(nvmlDeviceGetBoardPartNumber, "part", "unsupported")
DEVICE_STRING(nvmlDeviceGetInforomImageVersion, "inforom", "unsupported")
/* Not public: what nvidia-smi -q says of a vGPU guest's licence. */
NVML_API nvmlLabLicence(device gpu, char *out, unsigned size)
{
    CHECK_DEVICE(gpu);
    const char *value = lab_gpu_get(gpu, "license", "unsupported");
    return nvml_known(value) ? nvml_copy(out, size, value) : NOT_SUPPORTED;
}

DEVICE_UINT(nvmlDeviceGetBrand, "brand", "5")
DEVICE_UINT(nvmlDeviceGetBoardId, "board_id", "0x100")
DEVICE_UINT(nvmlDeviceGetMultiGpuBoard, "multi_gpu_board", "0")

NVML_API nvmlDeviceGetIndex(device gpu, unsigned *out)
{
    CHECK_DEVICE(gpu);
    *out = gpu->index;
    return SUCCESS;
}

NVML_API nvmlDeviceGetMinorNumber(device gpu, unsigned *out)
{
    CHECK_DEVICE(gpu);
    *out = gpu->index;
    return SUCCESS;
}

NVML_API nvmlDeviceGetCudaComputeCapability(device gpu, int *major, int *minor)
{
    CHECK_DEVICE(gpu);
    lab_compute_capability(gpu, major, minor);
    return SUCCESS;
}

/* NVML_DEVICE_ARCH_*: Maxwell 3, Pascal 4, Volta 5, Turing 6, Ampere 7, Ada 8, Hopper 9, Blackwell 10. */
NVML_API nvmlDeviceGetArchitecture(device gpu, unsigned *out)
{
    int major, minor;
    CHECK_DEVICE(gpu);
    lab_compute_capability(gpu, &major, &minor);
    int capability = major * 10 + minor;
    *out = capability >= 100 ? 10 : capability >= 90 ? 9 : capability == 89 ? 8 : capability >= 80 ? 7
         : capability >= 75  ? 6  : capability >= 70 ? 5 : capability >= 60 ? 4 : 3;
    return SUCCESS;
}

struct pci_info {
    char legacy_bus_id[16];
    unsigned domain, bus, device_number, id, subsystem_id;
    char bus_id[32];
};

NVML_API nvmlDeviceGetPciInfo_v3(device gpu, struct pci_info *out)
{
    CHECK_DEVICE(gpu);
    memset(out, 0, sizeof *out);
    const char *bus_id = lab_gpu_get(gpu, "bus_id", "00000000:01:00.0");
    sscanf(bus_id, "%x:%x:%x", &out->domain, &out->bus, &out->device_number);
    snprintf(out->bus_id, sizeof out->bus_id, "%08X:%02X:%02X.0", out->domain, out->bus, out->device_number);
    snprintf(out->legacy_bus_id, sizeof out->legacy_bus_id, "%04X:%02X:%02X.0", out->domain & 0xffff,
             out->bus & 0xff, out->device_number & 0xff);
    out->id = (unsigned)strtoul(lab_gpu_get(gpu, "pci_id", "0x268410DE"), NULL, 0);
    out->subsystem_id = (unsigned)strtoul(lab_gpu_get(gpu, "pci_sub_id", "0x000010DE"), NULL, 0);
    return SUCCESS;
}

NVML_API nvmlDeviceGetPciInfo_v2(device gpu, struct pci_info *out)
{
    return nvmlDeviceGetPciInfo_v3(gpu, out);
}

NVML_API nvmlDeviceGetPciInfo(device gpu, struct pci_info *out)
{
    return nvmlDeviceGetPciInfo_v3(gpu, out);
}

struct pci_info_ext {
    unsigned version, domain, bus, device_number, id, subsystem_id, base_class, sub_class;
    char bus_id[32];
};

NVML_API nvmlDeviceGetPciInfoExt(device gpu, struct pci_info_ext *out)
{
    struct pci_info info;
    result code = nvmlDeviceGetPciInfo_v3(gpu, &info);
    if (code)
        return code;
    out->domain = info.domain;
    out->bus = info.bus;
    out->device_number = info.device_number;
    out->id = info.id;
    out->subsystem_id = info.subsystem_id;
    out->base_class = 3; /* display controller */
    out->sub_class = (unsigned)strtoul(lab_gpu_get(gpu, "pci_sub_class", "0"), NULL, 0);
    memcpy(out->bus_id, info.bus_id, sizeof out->bus_id);
    return SUCCESS;
}
