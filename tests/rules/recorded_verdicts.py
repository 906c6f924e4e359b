"""What each recorded scenario of a real Ollama 0.33 calls for, written down from the recordings' own description before
any of them was diagnosed. (name -> verdict, causes of which one has to be named first; none where nothing is wrong, or
where nothing in the evidence tells why.)

`unknown` where the machine simply had no GPU: nothing there says why, and that is never healthy.
"""

from __future__ import annotations

Expected = tuple[str, tuple[str, ...]]
OK: Expected = ("ok", ())
UNKNOWN: Expected = ("unknown", ())


def named(*causes: str) -> Expected:
    return "findings", causes


RECORDED: dict[str, Expected] = {
    # No GPU visible.
    "cpu/01-default": named("num-gpu-override"),  # a request with num_gpu 0 is among its eighty
    "cpu/02-debug1": UNKNOWN,
    "cpu/03-debug2-trace": UNKNOWN,
    "cpu/10-cuda-visible-devices--1": named("cuda-visible-devices-hides-gpu"),
    "cpu/11-llm-library-cpu": named("env-var-invalid"),
    "cpu/12-kv-cache-type-invalid": named("kv-cache-type-rejected"),
    "cpu/13-kv-cache-q8_0": UNKNOWN,
    "cpu/14-kv-cache-q8_0-fa0": named("kv-cache-type-rejected"),
    "cpu/15-fa1": UNKNOWN,
    "cpu/16-num-parallel-4": UNKNOWN,
    "cpu/17-context-length-2048": UNKNOWN,
    "cpu/18-context-length-huge": UNKNOWN,
    "cpu/19-sched-spread": UNKNOWN,
    "cpu/20-max-loaded-1": UNKNOWN,
    "cpu/21-keep-alive--1": UNKNOWN,
    "cpu/30-cuda-backend-without-libcuda": named("driver-user-libs-missing"),
    "cpu/31-cuda-backend-without-libcuda-default-log": UNKNOWN,
    "cpu/32-cuda-backend-without-libcuda-trace": named("driver-user-libs-missing"),
    "cpu/40-slow-gpu-discovery": UNKNOWN,
    "cpu/41-sigterm-during-discovery": UNKNOWN,
    "cpu/42-sigterm-inflight-curl": UNKNOWN,
    "cpu/43-sigint-inflight-curl": UNKNOWN,
    "cpu/44-sighup": UNKNOWN,
    "cpu/45-sigkill-server": UNKNOWN,
    "cpu/46-sigterm-during-load": UNKNOWN,
    "cpu/50-runner-stream-breaks": UNKNOWN,
    # One software GPU of 2 GiB.
    "vulkan/01-default": named("num-gpu-override"),
    "vulkan/02-debug1": OK,
    "vulkan/03-debug2-trace": OK,
    "vulkan/04-lib-present-no-device": UNKNOWN,
    "vulkan/05-lib-present-no-device-default-log": UNKNOWN,
    "vulkan/10-cuda-visible-devices--1": named("vulkan-uses-hidden-gpu"),
    "vulkan/11-llm-library-cpu": named("env-var-invalid"),
    "vulkan/12-vulkan-off": UNKNOWN,
    "vulkan/13-bad-visible-index": named("cuda-visible-devices-hides-gpu"),
    "vulkan/14-gpu-overhead-huge": OK,
    "vulkan/15-gpu-overhead-almost-all": OK,
    "vulkan/15-gpu-overhead-most-of-vram": OK,
    "vulkan/16-fit-target-auto-partial": named("fit-target-too-large"),
    "vulkan/16b-fit-target-1500": named("fit-target-too-large"),
    "vulkan/17-fit-off": OK,
    "vulkan/20-kv-cache-q8_0": OK,
    "vulkan/21-fa0": OK,
    "vulkan/22-fa1": OK,
    "vulkan/23-num-parallel-4": named("num-parallel-too-high"),
    "vulkan/24-context-length-16384": OK,
    "vulkan/25-max-loaded-1": OK,
    "vulkan/26-two-gpus": OK,
    "vulkan/27-two-gpus-sched-spread": OK,
    "vulkan/28-second-model-does-not-fit": OK,  # the first one was evicted for it
    "vulkan/29-forced-too-big": OK,  # num_gpu 25 was granted all the same: the software GPU has more than it says
    "vulkan/30-concurrent-load-and-ps": OK,
    # Things that go wrong beside the GPU.
    "err/01-missing-llama-server": named("install-incomplete"),
    "err/02-port-in-use": named("server-does-not-start"),
    "err/03-bad-host-0": named("server-does-not-start"),  # foo:bar
    "err/03-bad-host-1": named("env-var-invalid"),  # port 99999: the default port is taken
    "err/03-bad-host-2": named("server-does-not-start"),  # 999.1.1.1
    "err/03-bad-host-3": named("server-does-not-start"),  # an address of another machine
    "err/03-bad-host-4": named("server-does-not-start"),  # a name that nobody knows
    "err/03-bad-host-5": named("install-incomplete"),  # tcp:// is understood; this machine has no lib/ollama
    "err/03-bad-host-6": named("env-var-invalid"),  # port 1143x
    "err/03-bad-host-7": named("install-incomplete"),  # unix:// is taken for the default address, without a word
    "err/10-models-dir-unreadable": named("server-does-not-start"),
    "err/11-models-dir-cannot-create": named("server-does-not-start"),
    "err/12-models-dir-is-file": named("server-does-not-start"),
    "err/13-models-dir-readonly": named("server-does-not-start"),
    "err/14-home-unset": named("server-does-not-start"),
    "err/15-home-unwritable": named("server-does-not-start"),
    "err/16-bad-numbers": named("env-var-invalid"),
    "err/20-load-without-llama-server": named("install-incomplete"),
    "err/31-misc-endpoints": UNKNOWN,
    "err/32-wildcard-bind-host-header": UNKNOWN,
    # False 100 % GPU, with the service's environment.
    "1-false100/01-vk-baseline": OK,
    "1-false100/02-cpu-moe": named("llama-arg-override"),
    "1-false100/03-n-cpu-moe-3": named("llama-arg-override"),
    "1-false100/04-override-tensor-moe-exps": named("llama-arg-override"),
    "1-false100/06-kv-offload-0": named("llama-arg-override"),
    "1-false100/07-no-kv-offload-1": named("llama-arg-override"),
    "1-false100/08-n-gpu-layers-env-3": named("llama-arg-override"),
    "1-false100/09-device-none": named("llama-arg-override"),
    "1-false100/10-debug-minus1": OK,
    "1-false100/11-debug-minus2": OK,
    "1-false100/12-log-verbosity-env-0": OK,
    "1-false100/13-log-file": OK,
    "1-false100/14-log-colors-on": OK,
    "1-false100/15-log-colors-on-cpu-moe-device-none": named("llama-arg-override"),
    "1-false100/16-log-prefix-timestamps": OK,
    "1-false100/17-moe-fit-overflow": named("moe-overflow"),
    "1-false100/18-moe-fit-target": named("fit-target-too-large"),
    "1-false100/20-main-full-draft-cpu": named("llama-arg-override", "hidden-cpu-work"),
    "1-false100/21-num-gpu-0-request": named("num-gpu-override"),
    "1-false100/22-n-gpu-layers-env-0": named("llama-arg-override"),
    "1-false100/23-prefer-host-memory": named("unified-memory-spill"),
    "1-false100/30-quiet-vulkan": named("placement-not-measured"),
    "1-false100/31-quiet-cpu": UNKNOWN,
    "1-false100/33-quiet-debug": named("placement-not-measured"),
    # num_gpu 999.
    "2-strict/01-fit-target-1500": named("num-gpu-override", "fit-target-too-large"),
    "2-strict/02-ctx32768": named("num-gpu-override", "vram-oom", "context-too-large"),
    "2-strict/03-lowmem-real-oom": named("vram-oom", "context-too-large"),
    "2-strict/04-lowmem-second-resident": named("vram-oom", "context-too-large"),
    "2-strict/05-cpu-only-999": UNKNOWN,
    "2-strict/06-vulkan-device-gone": named("cuda-visible-devices-hides-gpu"),
    "2-strict/07-moe-overflow-strict": named("moe-overflow", "hidden-cpu-work"),
    "2-strict/08-cpu-moe-strict": named("llama-arg-override"),
    "2-strict/09-env-ngl-3-strict": named("llama-arg-override"),
    # Timed answers; the first two without a GPU.
    "8-timed/01-cpu-moe": UNKNOWN,
    "8-timed/02-cpu-tiny": UNKNOWN,
    "8-timed/03-vulkan-moe": OK,
}
