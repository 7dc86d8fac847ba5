// The edges of every pin, and what crossed the board's buses and its USB, each with its device time, as a logic analyser
// and its decoders would tell it. Only the last stretch is kept, and nobody is told of it unless he asks: that is cheap enough to be on in every test.

export const SPI = 0, I2C = 1, USB = 2, USB_CONTROL = 3;
export const READING = 1, REFUSED = 2, CUT = 4, UNFINISHED = 8;
export const NOBODY = -1;               // no device was selected
export const BOOT_ROM = 255;            // its USB interface, among the serial functions

const ENTRIES = 1 << 16, BYTES = 1 << 20;
const KEPT = 1024;                      // bytes of one transfer in each direction; the rest is counted
const ROW = 36;
const POWERS = 256;                     // comings and goings of power
const LEAST_EDGES = 256, MOST_EDGES = 1 << 16;            // of one pin; at first there is room for the least
const APART_NS = 50e3;                  // bytes to nobody that are further apart are two transfers

// A transfer that is under way on one bus; `out` is what the RP2040 sends.
class Transfer {
  constructor(trace, kind, bus) {
    this.trace = trace;
    this.kind = kind;
    this.bus = bus;
    this.open = false;
    this.out = new Uint8Array(KEPT);
    this.in = new Uint8Array(KEPT);
  }
  begin(chip, flags = 0, from = this.trace.now()) {
    if (this.open) this.end();
    this.open = true;
    this.chip = chip;
    this.flags = flags;
    this.from = this.last = from;
    this.sent = this.received = 0;
  }
  // A byte each way, as SPI has it; without a `begin` it is to nobody.
  exchanged(out, in_) {
    if (!this.open || this.chip === NOBODY) this.toNobody();
    this.write(out);
    this.read(in_);
  }
  toNobody() {
    const now = this.trace.now();
    if (this.open && now - this.last > APART_NS) this.end(0, this.last);
    if (!this.open) this.begin(NOBODY, 0, now);
    this.last = now;
  }
  write(byte) { if (this.sent < KEPT) this.out[this.sent] = byte; this.sent++; }
  read(byte) { if (this.received < KEPT) this.in[this.received] = byte; this.received++; }
  refused() { this.flags |= REFUSED; }
  end(flags = 0, until = this.trace.now()) {
    if (!this.open) return;
    this.open = false;
    this.trace.keep(this, this.flags | flags, until);
  }
}

// The last edges of one pin. It is low at first.
class Edges {
  constructor() {
    this.high = false;
    this.count = 0;
    this.times = new Float64Array(LEAST_EDGES);
  }
  see(high, now) {
    if (high === this.high) return;
    this.high = high;
    if (this.count === this.times.length && this.count < MOST_EDGES) {
      const times = new Float64Array(2 * this.count);
      times.set(this.times);
      this.times = times;
    }
    this.times[this.count++ & (this.times.length - 1)] = now;
  }
  // Those at `since` or later that are still held, and whether these are all.
  take(since) {
    const found = [];
    let n = this.count - 1;
    for (; n >= Math.max(0, this.count - this.times.length); n--) {
      const at = this.times[n & (this.times.length - 1)];
      if (at < since) return [found.reverse(), true];
      found.push(at);
    }
    return [found.reverse(), n < 0];
  }
}

export class Trace {
  // now: () -> device time in ns.
  constructor(now) {
    this.now = now;
    this.transfers = new Map();
    this.powers = [];                   // [ns, on]
    this.pins = [];                     // Edges of each GPIO that has had one
    this.count = 0;                     // entries ever made; the ring holds the last ENTRIES of them
    this.at = 0;                        // bytes ever kept; likewise
    this.bytes = new Uint8Array(BYTES);
    this.begins = new Float64Array(ENTRIES);
    this.ends = new Float64Array(ENTRIES);
    this.starts = new Float64Array(ENTRIES);              // of the bytes, as `at`
    this.sent = new Uint32Array(ENTRIES);
    this.received = new Uint32Array(ENTRIES);
    this.chips = new Int16Array(ENTRIES);
    this.kinds = new Uint8Array(ENTRIES);
    this.buses = new Uint8Array(ENTRIES);
    this.flags = new Uint8Array(ENTRIES);
  }
  power(on) {
    this.powers.push([this.now(), on]);
    if (this.powers.length > POWERS) this.powers.shift();
  }
  level(pin, high, now) {
    const edges = this.pins[pin];
    if (edges) edges.see(high, now);
    else if (high) (this.pins[pin] = new Edges()).see(high, now);
  }
  // The chip is reset, which lets go of every pin.
  release(now) { for (const edges of this.pins) edges?.see(false, now); }

  transfer(kind, bus) {
    const key = kind << 8 | bus;
    if (!this.transfers.has(key)) this.transfers.set(key, new Transfer(this, kind, bus));
    return this.transfers.get(key);
  }
  // The chip has been reset or has lost its power: what was under way has ended there.
  cut() { for (const transfer of this.transfers.values()) transfer.end(CUT); }

  // Bytes over USB, seen from the board as all else is: `out` goes to the host.
  packet(kind, index, out, in_, from, flags = 0, until = this.now()) {
    this.row(kind, index, 0, flags, from, until, out.length, in_.length, out, in_);
  }
  keep(t, flags, until) { this.row(t.kind, t.chip, t.bus, flags, t.from, until, t.sent, t.received, t.out, t.in); }

  row(kind, chip, bus, flags, from, until, sent, received, out, in_) {
    const i = this.count++ % ENTRIES;
    this.kinds[i] = kind; this.chips[i] = chip; this.buses[i] = bus; this.flags[i] = flags;
    this.begins[i] = from; this.ends[i] = until;
    this.sent[i] = sent; this.received[i] = received;
    this.starts[i] = this.at;
    const outKept = Math.min(sent, KEPT), inKept = Math.min(received, KEPT);
    for (let k = 0; k < outKept; k++) this.bytes[this.at++ % BYTES] = out[k];
    for (let k = 0; k < inKept; k++) this.bytes[this.at++ % BYTES] = in_[k];
  }

  // [[[pin, level now, number of edges, whether these are all since], ...], their times in ns (f64)]
  takeEdges(since) {
    const pins = [], times = [];
    this.pins.forEach((edges, pin) => {
      const [found, all] = edges.take(since);
      pins.push([pin, +edges.high, found.length, all]);
      times.push(Buffer.from(Float64Array.from(found).buffer));
    });
    return [pins, Buffer.concat(times)];
  }
  // [rows, bytes]: what has ended at `since` or later and is still held, by its end, then what is under way. A row is
  // begin and end in ns (f64), bytes sent and received (u32), of each how many are held (u16), chip (i16), kind, bus,
  // flags (u8), and three bytes of nothing.
  take(since) {
    const chosen = [];
    for (let n = this.count - 1; n >= Math.max(0, this.count - ENTRIES); n--) {
      const i = n % ENTRIES;
      if (this.ends[i] < since || this.at - this.starts[i] > BYTES) break;
      chosen.push(i);
    }
    chosen.reverse();
    const open = [...this.transfers.values()].filter((t) => t.open);
    const rows = Buffer.alloc(ROW * (chosen.length + open.length)), bytes = [];
    let at = 0;
    const put = (from, until, sent, received, chip, kind, bus, flags) => {
      rows.writeDoubleLE(from, at); rows.writeDoubleLE(until, at + 8);
      rows.writeUInt32LE(sent, at + 16); rows.writeUInt32LE(received, at + 20);
      rows.writeUInt16LE(Math.min(sent, KEPT), at + 24); rows.writeUInt16LE(Math.min(received, KEPT), at + 26);
      rows.writeInt16LE(chip, at + 28);
      rows[at + 30] = kind; rows[at + 31] = bus; rows[at + 32] = flags;
      at += ROW;
    };
    for (const i of chosen) {
      put(this.begins[i], this.ends[i], this.sent[i], this.received[i], this.chips[i], this.kinds[i], this.buses[i],
        this.flags[i]);
      const length = Math.min(this.sent[i], KEPT) + Math.min(this.received[i], KEPT), from = this.starts[i] % BYTES;
      bytes.push(this.bytes.subarray(from, Math.min(BYTES, from + length)));
      if (from + length > BYTES) bytes.push(this.bytes.subarray(0, from + length - BYTES));
    }
    for (const t of open) {
      put(t.from, this.now(), t.sent, t.received, t.chip, t.kind, t.bus, t.flags | UNFINISHED);
      bytes.push(t.out.subarray(0, Math.min(t.sent, KEPT)), t.in.subarray(0, Math.min(t.received, KEPT)));
    }
    return [rows, Buffer.concat(bytes)];
  }
}
