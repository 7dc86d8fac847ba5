// Random states of a chip: registers that are numbers or point somewhere, flags, modes, what is pending.

import { BOOTROM_SIZE, FLASH, SP, SRAM, SRAM_SIZE } from './machines.mjs';

const EDGES = [0, 1, 2, 31, 32, 33, 64, 255, 256, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff, 0xfffffffe, 0xfffffff1, 0xfffffff9, 0xfffffffd];

function address(random) {
  switch (random.below(12)) {
    case 0: return SRAM + SRAM_SIZE - random.below(64);
    case 1: return SRAM + random.below(64);
    case 2: case 3: case 4: return SRAM + 0x1000 + random.below(0x3000) * 4;
    case 5: return SRAM + random.below(SRAM_SIZE);
    case 6: return FLASH + random.below(0x10000);
    case 7: return FLASH + 4 * random.below(0x4000);
    case 8: return random.below(BOOTROM_SIZE);
    case 9: return random.chance(0.2) ? 0xd0000040 + 4 * random.below(20) : 0x40000000 + 4 * random.below(0x10000);
    case 10: return random.pick([0x50100000, 0x50200000, 0xd0000000, 0xe000e000, 0x15000000, 0x11000000]) + random.below(0x200);
    default: return random.u32();
  }
}
function value(random) {
  switch (random.below(4)) {
    case 0: return random.pick(EDGES);
    case 1: return random.u32();
    default: return address(random);
  }
}

export function scramble(pair, random) {
  const state = {
    r: Array.from({ length: 15 }, () => value(random)),
    flags: [0, 0, 0, 0].map(() => random.chance(0.5)),
    sp: random.chance(0.8) ? SRAM + 4 * (0x400 + random.below(0x8000)) : address(random) & ~3,
    banked: SRAM + 4 * random.below(0x8000), handler: random.chance(0.4), spsel: random.chance(0.3),
    ipsr: random.pick([2, 3, 11, 14, 15, 16, 20, 41]), pm: random.chance(0.3), event: random.chance(0.5), npriv: random.chance(0.1),
    pending: random.chance(0.2) ? random.u32() : 0, enabled: random.chance(0.5) ? random.u32() : 0xffffffff,
    priorities: Array.from({ length: 32 }, () => random.below(4)),
    system: [0.02, 0.05, 0.05, 0.05].map((p) => random.chance(p)), shpr2: random.u32(), shpr3: random.u32(),
    updated: random.chance(0.5), vtor: random.chance(0.8) ? SRAM + 0x100 * random.below(16) : FLASH + 0x100,
  };
  pair.each((core) => {
    core.registers.set(state.r);
    core.registers[SP] = state.sp;
    [core.N, core.Z, core.C, core.V] = state.flags;
    core.currentMode = state.handler ? 1 : 0;
    core.IPSR = state.handler ? state.ipsr : 0;
    core.SPSEL = !state.handler && state.spsel ? 1 : 0;
    core.bankedSP = state.banked;
    core.PM = state.pm; core.eventRegistered = state.event; core.nPRIV = state.npriv;
    core.pendingInterrupts = state.pending | 0; core.enabledInterrupts = state.enabled | 0;
    core.interruptPriorities = [0, 0, 0, 0];
    state.priorities.forEach((p, irq) => { core.interruptPriorities[p] |= 1 << irq; });
    [core.pendingNMI, core.pendingSVCall, core.pendingPendSV, core.pendingSystick] = state.system;
    core.SHPR2 = state.shpr2; core.SHPR3 = state.shpr3; core.VTOR = state.vtor;
    core.interruptsUpdated = state.updated;
    core.waiting = false; core.breakRewind = 0;
  });
}

export function codeAddress(random) {
  switch (random.below(4)) {
    case 0: return FLASH + 2 * random.below(0x7ff0);
    case 1: return 2 * random.below(BOOTROM_SIZE / 2 - 4);
    default: return SRAM + 2 * random.below(SRAM_SIZE / 2 - 4);
  }
}
