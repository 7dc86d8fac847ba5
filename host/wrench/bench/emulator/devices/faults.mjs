// What can be wrong with a device on the board, as tests set it while the board runs.

const HEALTHY = { absent: false, floats: 0xff, stuck: false, identity: null, bit_errors: 0, clock: 1, interrupt_dead: false };

export class Faults {
  constructor(seed) {
    this.random = seed >>> 0;
    this.set({});
  }
  // faults: {absent, floats, stuck, identity, bit_errors, clock, interrupt_dead}; what is left out is healthy.
  set(faults) {
    const { reset, seed, ...present } = faults;
    for (const name of Object.keys(present)) if (!(name in HEALTHY)) throw new Error(`no such device fault: ${name}`);
    Object.assign(this, HEALTHY, present);
    if (seed !== undefined) this.random = seed >>> 0;
    this.any = this.absent || this.bit_errors > 0;
  }
  // The byte as it arrives: one bit of it wrong with the probability `bit_errors`.
  corrupt(byte) {
    if (!this.bit_errors) return byte;
    const draw = this.draw();
    if (draw >= this.bit_errors) return byte;
    return byte ^ (1 << Math.min(7, Math.floor(draw / this.bit_errors * 8)));
  }
  // 0 to 1, a linear congruential generator: the same run has the same errors.
  draw() {
    this.random = (Math.imul(this.random, 1664525) + 1013904223) >>> 0;
    return this.random / 2 ** 32;
  }
}
