// How the core wakes from WFI and WFE (ARMv6-M ARM, chapter B1.5, "Wait For Interrupt", "Wait For Event").
// rp2040js takes the exception inside the event that raises it, even with PRIMASK set, sleeps through an interrupt that
// was already pending, and is not woken by SysTick, PendSV or NVIC_ISPR. Here an interrupt only becomes pending; the
// loop that runs the core asks `wakes`, and the exception is taken at the next instruction when PRIMASK allows it.

export function mendWaking(core) {
  core.setInterrupt = (irq, value) => {
    const bit = 1 << irq;
    if (!value) {
      core.pendingInterrupts &= ~bit;
    } else if (!(core.pendingInterrupts & bit)) {
      core.pendingInterrupts |= bit;
      core.interruptsUpdated = true;
    }
  };
}

// True when an exception is pending that would be taken were PRIMASK clear.
export function wakes(core) {
  if (core.pendingNMI) return true;
  const pending = core.pendingInterrupts & core.enabledInterrupts;
  if (!pending && !core.pendingSVCall && !core.pendingPendSV && !core.pendingSystick) return false;
  const present = core.exceptionPriority(core.IPSR);
  if (core.pendingSVCall && core.svCallPriority < present) return true;
  if (core.pendingPendSV && core.pendSVPriority < present) return true;
  if (core.pendingSystick && core.systickPriority < present) return true;
  for (let priority = 0; priority < present; priority++) {
    if (pending & core.interruptPriorities[priority]) return true;
  }
  return false;
}
