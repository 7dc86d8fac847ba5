// A chip's blocks without a program: registers are written and read from here, time is moved by hand.

import { emulatorModule, makeProcessor } from './machines.mjs';

const { installPeripherals } = await emulatorModule('peripherals.mjs');
const { AdcInputs } = await emulatorModule('adc.mjs');

export const SET = 0x2000, CLEAR = 0x3000;           // aliases of a block's registers

export function makeBlocks() {
  const { rp2040, clock } = makeProcessor(), inputs = new AdcInputs();
  installPeripherals(rp2040, inputs, 0);
  return {
    rp2040,
    clock,
    inputs,
    read: (at) => rp2040.readUint32(at) >>> 0,
    write: (at, value) => rp2040.writeUint32(at, value),
    after: (ns) => clock.tick(ns),
    get now() { return clock.nanosCounter; },
    pending: (irq) => ((rp2040.core.pendingInterrupts >>> irq) & 1) === 1,
    words: (at, count) => Array.from({ length: count }, (_, i) => rp2040.readUint32(at + 4 * i) >>> 0),
    halves: (at, count) => Array.from({ length: count }, (_, i) => rp2040.readUint16(at + 2 * i)),
  };
}

// An I2C device that notes what happens to it and reads as counting bytes from `first` on.
export class Listener {
  constructor(first = 0, room = Infinity) { this.seen = []; this.next = first; this.room = room; this.faults = {}; }
  started(read) { this.seen.push(read ? 'R' : 'W'); return true; }
  written(byte) { this.seen.push(byte); return this.room-- > 0; }
  read() { return this.next++ & 255; }
  stopped() { this.seen.push('P'); }
}
