// SysTick, and how the pending exceptions read: sections B3.3, B3.2.4 and B3.4 of the ARMv6-M Architecture Reference
// Manual (ARM DDI 0419).
//
// rp2040js counts SysTick's period as RVR cycles instead of RVR + 1, loses the fraction of every reload, keeps counting
// at RVR = 0 and lets a disabled interrupt show in VECTPENDING.

const SYST_CSR = 0x10, SYST_RVR = 0x14, SYST_CVR = 0x18, ICSR = 0xd04;
const ENABLE = 1, TICKINT = 2, CLKSOURCE = 4, COUNTFLAG = 1 << 16;
const LARGEST = 0xffffff;
const REFERENCE_NS = 1000;              // RP2040 datasheet section 2.4.5: CLKSOURCE 0 counts the watchdog's 1 us tick
const ROUNDING = 1e-6;                  // of a cycle
const NMIPENDSET = 1 << 31, PENDSVSET = 1 << 28, PENDSTSET = 1 << 26, ISRPENDING = 1 << 22, VECTPENDING_SHIFT = 12;
const NMI = 2, SVCALL = 11, PENDSV = 14, SYSTICK = 15, FIRST_INTERRUPT = 16, PRIORITIES = 4;

// `rp2040` must have the device time of `clock`; `rate` is the crystal's. Returns the timer, for whoever wants to look at
// it.
export function mendSysTick(rp2040, clock, rate = 1) {
  const { ppb, core } = rp2040, timer = new SysTick(core, clock, REFERENCE_NS / rate);
  ppb.systickAlarm.enable = false;
  const read = ppb.readUint32.bind(ppb), write = ppb.writeUint32.bind(ppb);
  ppb.readUint32 = (offset) => {
    switch (offset) {
      case SYST_CSR: return timer.status();
      case SYST_RVR: return timer.reload;
      case SYST_CVR: return timer.value;
      case ICSR: return pendingState(core);
    }
    return read(offset);
  };
  ppb.writeUint32 = (offset, value) => {
    switch (offset) {
      case SYST_CSR: timer.control(value); return;
      case SYST_RVR: timer.setReload(value & LARGEST); return;
      case SYST_CVR: timer.clear(); return;
    }
    write(offset, value);
  };
  rp2040.addClockListener(() => timer.clockChanged());
  return timer;
}

export class SysTick {
  constructor(core, clock, referenceNs = REFERENCE_NS) {
    this.core = core;
    this.referenceNs = referenceNs;
    this.clock = clock;
    this.csr = 0;
    this.reload = 0;
    this.counted = false;
    this.held = 0;                      // the count while nothing counts
    this.loaded = 0;                    // what the present countdown began with
    this.zeroAt = 0;                    // device time (ns) at which the count is next 0, while counting
    this.counting = false;
    this.cycleNs = clock.period;
    this.alarm = clock.createAlarm(() => this.zero());
  }

  get cycle() { return this.csr & CLKSOURCE ? this.clock.period : this.referenceNs; }
  get value() {
    if (!this.counting) return this.held;
    const left = Math.ceil((this.zeroAt - this.clock.nanosCounter) / this.cycleNs - ROUNDING);
    return left > this.loaded ? 0 : left;           // the cycle in which it is 0 comes before the reload
  }

  // Bit 16 is cleared by being read.
  status() {
    const counted = this.counted ? COUNTFLAG : 0;
    this.counted = false;
    return this.csr | counted;
  }
  control(value) {
    this.hold();
    this.csr = value & (ENABLE | TICKINT | CLKSOURCE);
    this.go();
  }
  // Takes effect when the count is next reloaded.
  setReload(reload) {
    if (this.counting) { this.reload = reload; return; }
    this.hold();
    this.reload = reload;
    this.go();
  }
  // Any write clears the count and COUNTFLAG, without an exception; the next cycle reloads it.
  clear() {
    this.hold();
    this.held = 0;
    this.counted = false;
    this.go();
  }
  clockChanged() { this.hold(); this.go(); }

  hold() {
    this.held = this.value;
    this.counting = false;
    this.alarm.cancel();
  }
  go() {
    if (!(this.csr & ENABLE)) return;
    const cycles = this.held || (this.reload ? this.reload + 1 : 0);
    if (!cycles) return;                            // a reload value of 0 keeps the count at 0
    this.counting = true;
    this.loaded = this.held || this.reload;
    this.cycleNs = this.cycle;
    this.zeroAt = this.clock.nanosCounter + cycles * this.cycleNs;
    this.alarm.schedule(cycles * this.cycleNs);
  }
  zero() {
    this.counted = true;
    if (this.csr & TICKINT) {
      this.core.pendingSystick = true;
      this.core.interruptsUpdated = true;
    }
    if (!this.reload) { this.held = 0; this.counting = false; return; }
    this.loaded = this.reload;
    this.zeroAt += (this.reload + 1) * this.cycleNs;
    this.alarm.schedule(this.zeroAt - this.clock.nanosCounter);
  }
}

// ICSR. PRIMASK has no part in it: what is pending stays visible while it is set.
function pendingState(core) {
  return ((core.pendingNMI ? NMIPENDSET : 0) | (core.pendingPendSV ? PENDSVSET : 0) |
    (core.pendingSystick ? PENDSTSET : 0) | (core.pendingInterrupts ? ISRPENDING : 0) |
    (firstPending(core) << VECTPENDING_SHIFT) | core.IPSR) >>> 0;
}

// Number of the pending and enabled exception of the highest priority, the lowest number first among equals; 0: none.
function firstPending(core) {
  if (core.pendingNMI) return NMI;
  const pending = core.pendingInterrupts & core.enabledInterrupts;
  for (let priority = 0; priority < PRIORITIES; priority++) {
    if (core.pendingSVCall && core.svCallPriority === priority) return SVCALL;
    if (core.pendingPendSV && core.pendSVPriority === priority) return PENDSV;
    if (core.pendingSystick && core.systickPriority === priority) return SYSTICK;
    const here = pending & core.interruptPriorities[priority];
    if (here) return FIRST_INTERRUPT + 31 - Math.clz32(here & -here);
  }
  return 0;
}
