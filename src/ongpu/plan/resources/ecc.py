"""ECC memory on or off: kept by the GPU, and in force after a reset, for which ongpu reboots where that may be."""

from __future__ import annotations

from ongpu.host.gpu import Gpu
from ongpu.host.paths import ECC_REBOOTED, HEADER
from ongpu.host.reading import Absent, Unreadable
from ongpu.plan.context import Context, Halt, Later, Resource, because, known
from ongpu.plan.effect import noted
from ongpu.plan.policy import drained, may_reboot, require_reboot
from ongpu.plan.resources.settings import gpus_of
from ongpu.plan.types import Change, Interrupts, Put, Reboot, Run, Step


def _changes(context: Context) -> list[Change]:
    wanted = context.spec.driver.settings.ecc
    if wanted is None:
        return []
    context.wait_for("driver", "switch", "module")
    if context.pending("driver", "switch", "module"):
        raise Later("can only be known once the driver is loaded", may_reboot(context))
    gpus = [gpu for gpu in gpus_of(context, "which ECC mode the GPUs have") if _has_ecc(gpu, wanted)]
    other = [gpu for gpu in gpus if known(gpu.settings.ecc, f"the ECC mode of GPU {gpu.info.index}") != wanted]
    unset = [gpu for gpu in gpus if known(gpu.settings.ecc_pending, "the pending ECC mode") != wanted]
    if not other and not unset:
        return []
    word = "on" if wanted else "off"
    command = f"nvidia-smi -e {int(wanted)}"
    set_it = Run(command=command, what=f"turn ECC {word}", seconds=120)
    if not other:  # pending is the opposite, and the next boot would bring it
        names = ", ".join(f"GPU {gpu.info.index}" for gpu in unset)
        return [
            Change(resource="ecc", summary=f"keep ECC {word} ({names} would change at the next boot)", steps=(set_it,))
        ]
    names = ", ".join(f"GPU {gpu.info.index}" for gpu in other)
    why = f"ECC is to be {word} on {names}, which takes effect after a reset of the GPU: this needs a reboot"
    require_reboot(context, why)
    boot = known(known(context.snapshot.system, "what this host is").boot_id, "which boot of the host this is")
    note = noted(context, ECC_REBOOTED)
    if not unset and note.get("ecc") == word and note.get("boot") not in (None, boot):
        raise Halt(
            "unsupported",
            f"ECC is still not {word} on {names} after the reboot that was made for it: switch the host off and on, "
            f"and remove {ECC_REBOOTED} to have a reboot tried again",
        )
    order = Put(
        path=ECC_REBOOTED,
        content=f"# {HEADER}. One reboot for a change, never a circle of them.\necc: {word}\nboot: {boot}\n",
    )
    steps: list[Step] = [*([set_it] if unset else []), order, *drained(context), Reboot()]
    return [
        Change(
            resource="ecc",
            summary=f"ECC {word} on {names}, by a reboot",
            steps=tuple(steps),
            interrupts=Interrupts.REBOOT,
        )
    ]


def _has_ecc(gpu: Gpu, wanted: bool) -> bool:
    """A GPU without ECC is as declared where that is off."""
    match gpu.settings.ecc:
        case Absent(why=why):
            if wanted:
                name = f"GPU {gpu.info.index} ({gpu.info.name})"
                raise Halt(
                    "unsupported", f"driver.settings.ecc is true, and {name} has no ECC that could be set ({why})"
                )
            return False
        case Unreadable() as blind:
            raise Halt("unknown", f"cannot tell the ECC mode of GPU {gpu.info.index}: {because(blind)}")
        case _:
            return True


RESOURCE = Resource(name="ecc", applies=lambda spec: spec.driver.manage, changes=_changes)
