// The pads as the world outside sees and drives them.
// rp2040js neither loops an output back to its own input nor applies pulls to an undriven input; this does both,
// lets the outside drive a pin low, high or not at all, and keeps for each watched pin how long it was high and when
// its edges were.

const LOW = 0, HIGH = 1, PULL_UP = 3, BUS_KEEPER = 5;
const PADS_BANK0 = 0x4001c, FIRST_PAD = 0x4, LAST_PAD = 0x78;
const EDGES_KEPT = 64;

export class Pins {
  // trace: a Trace, or null.
  constructor(rp2040, timeOffset, watched, trace = null) {
    this.trace = trace;
    this.gpio = rp2040.gpio;
    this.clock = rp2040.clock;
    this.timeOffset = timeOffset;
    this.outside = new Array(this.gpio.length).fill(null);   // null: not driven
    this.meters = new Map();
    for (const pin of watched) this.meters.set(pin, new Meter());
    this.gpio.forEach((gpio, pin) => {
      gpio.addListener(() => this.update(pin));
      this.update(pin);
    });
    const pads = rp2040.peripherals[PADS_BANK0], write = pads.writeUint32.bind(pads);
    pads.writeUint32 = (offset, value) => {
      write(offset, value);
      if (offset >= FIRST_PAD && offset <= LAST_PAD) this.update((offset - FIRST_PAD) >> 2);
    };
  }

  // level: 0, 1, or null for "not driven".
  drive(pin, level) {
    if (this.outside[pin] === level) return;
    this.outside[pin] = level;
    this.update(pin);
  }

  // The voltage on the pad. An output wins over what the outside drives: a short is not modelled.
  level(pin) {
    const state = this.gpio[pin].value;
    if (state === LOW || state === HIGH) return state;
    const driven = this.outside[pin];
    if (driven !== null) return driven;
    if (state === BUS_KEEPER) return this.gpio[pin].rawInputValue ? 1 : 0;
    return state === PULL_UP ? 1 : 0;
  }

  update(pin) {
    const gpio = this.gpio[pin], high = this.level(pin) === 1;
    if (high !== gpio.rawInputValue) gpio.setInputValue(high);
    const now = this.timeOffset + this.clock.nanos;
    this.meters.get(pin)?.see(high, now);
    this.trace?.level(pin, high, now);
  }

  // A reset lets go of every pin: outputs become inputs with a pull-down.
  release(now) {
    for (const meter of this.meters.values()) meter.see(false, now);
    this.trace?.release(now);
  }
}

// What a logic analyser on one pin would have counted since it was last read.
export class Meter {
  constructor() { this.high = false; this.since = 0; this.start = 0; this.clear(0); }
  clear(now) {
    this.start = this.since = now; this.highNs = 0;
    this.rises = 0; this.falls = 0; this.edges = [];
  }
  see(high, now) {
    if (high === this.high) return;
    if (this.high) this.highNs += now - this.since;
    this.high = high; this.since = now;
    if (high) this.rises++; else this.falls++;
    if (this.edges.length < EDGES_KEPT) this.edges.push(now); else this.edges[EDGES_KEPT - 1] = now;   // the last is kept
  }
  // Returns and forgets: fraction of the time high, level now, edge counts and times (ns).
  take(now) {
    if (this.high) this.highNs += now - this.since;
    const span = now - this.start;
    const seen = { high: span > 0 ? this.highNs / span : +this.high, level: +this.high, rises: this.rises,
      falls: this.falls, edges_ns: this.edges };
    this.clear(now);
    return seen;
  }
}
