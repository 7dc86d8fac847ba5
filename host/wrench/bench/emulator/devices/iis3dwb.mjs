// IIS3DWB wideband accelerometer on SPI: registers, FIFO of 512 tagged words, INT1, self-test, user offsets left out.
// Sections and register numbers: ST datasheet DS12569. Its signal comes at 26,667 Hz as the output registers would hold it
// in the range `range_g` of the device's options; another range set by the chip rescales it.

import { SampledSensor } from './sampled.mjs';

const FIFO_CTRL1 = 0x07, FIFO_CTRL2 = 0x08, FIFO_CTRL3 = 0x09, FIFO_CTRL4 = 0x0a, INT1_CTRL = 0x0d, WHO_AM_I = 0x0f, CTRL1_XL = 0x10,
  CTRL3_C = 0x12, CTRL5_C = 0x14, CTRL6_C = 0x15, STATUS = 0x1e, OUTX_L = 0x28, OUTZ_H = 0x2d, FIFO_STATUS1 = 0x3a,
  FIFO_STATUS2 = 0x3b, INTERNAL_FREQ_FINE = 0x63, FIFO_TAG = 0x78, FIFO_Z_H = 0x7e;
const IDENTITY = 0x7b;
const XL_ENABLED = 5, BATCH_26K7 = 10, SW_RESET = 1, BOOT = 0x80, INT_ACTIVE_LOW = 0x20, IF_INC = 4;
const BYPASS = 0, STOP_WHEN_FULL = 1;
const INT1_DRDY = 1, INT1_WATERMARK = 8, INT1_OVERRUN = 0x10, INT1_FULL = 0x20;
const WATERMARK = 0x80, OVERRUN = 0x40, FULL = 0x20, OVERRUN_LATCHED = 8;
const DEPTH = 512, WORD = 7;            // 3 kB: one tag byte and six of data each
const TAG_ACCELEROMETER = 2;
const SPI_MAX_HZ = 10.0e6;              // SPI slave timing values
const RANGE_OF_CODE = [2, 16, 4, 8];    // CTRL1_XL, FS[1:0]
const SELF_TEST_MG = [1600, 1400, 1800];          // within the 800 to 3,200 mg of the mechanical characteristics
const FREQ_STEP = 0.0015;               // INTERNAL_FREQ_FINE
const NOMINAL_HZ = 26667;

function parity(byte) {
  byte ^= byte >> 4; byte ^= byte >> 2; byte ^= byte >> 1;
  return byte & 1;
}
// By TAG_CNT: the tag that goes with it, whose parity over the eight bits is even.
const TAGS = [0, 1, 2, 3].map((n) => { const tag = TAG_ACCELEROMETER << 3 | n << 1; return tag | parity(tag); });

export class Iis3dwb extends SampledSensor {
  constructor(options, index) {
    super(options, index);
    this.fedG = options.range_g ?? 16;
    this.rateFine = Math.round((1e9 / options.period_ns / NOMINAL_HZ - 1) / FREQ_STEP);
    this.registers = new Uint8Array(128);
    this.words = new Int16Array(3 * DEPTH);
    this.tags = new Uint8Array(DEPTH);
    this.word = new Uint8Array(WORD);
    this.address = -1;
    this.reading = false;
    this.reset();
  }
  get identity() { return IDENTITY; }
  reset() {
    this.registers.fill(0);
    this.registers[CTRL3_C] = IF_INC;
    this.registers[INTERNAL_FREQ_FINE] = Math.max(-128, Math.min(127, this.rateFine)) & 255;
    this.clearFifo();
    this.given = null;
    this.latest = [0, 0, 0];
    this.decode();
    this.tagCount = 0;
    if (this.chip) this.update();
  }
  clearFifo() { this.first = 0; this.length = 0; this.overrun = false; this.latched = false; }
  // What `take` would otherwise ask the registers for at each sample.
  decode() {
    const r = this.registers, test = r[CTRL5_C] & 3;
    this.measuring = r[CTRL1_XL] >> 5 === XL_ENABLED;
    this.batching = (r[FIFO_CTRL3] & 15) === BATCH_26K7;
    this.mode = r[FIFO_CTRL4] & 7;
    this.watermark = r[FIFO_CTRL1] | (r[FIFO_CTRL2] & 1) << 8;
    this.axis = r[CTRL6_C] & 3;
    const range = RANGE_OF_CODE[(r[CTRL1_XL] >> 2) & 3];
    this.scale = this.fedG / range;
    this.push = test === 1 || test === 2 ? SELF_TEST_MG.map((mg) => (test === 1 ? mg : -mg) * 32.768 / range) : null;
    this.plain = this.scale === 1 && !this.push;
  }

  take(x, y, z) {
    if (!this.measuring) return;
    if (!this.plain) [x, y, z] = this.format([x, y, z]);
    if (this.faults.stuck) {
      this.given ??= [x, y, z];
      [x, y, z] = this.given;
    } else if (this.given) {
      this.given = null;
    }
    const { latest } = this;
    latest[0] = x; latest[1] = y; latest[2] = z;
    this.fresh = true;
    if (this.batching && this.mode !== BYPASS) this.batch(x, y, z);
    else if (this.registers[INT1_CTRL] & INT1_DRDY) this.driveInterrupt();
  }
  format(raw) {
    return raw.map((v, i) => Math.max(-32768, Math.min(32767, Math.round(v * this.scale + (this.push ? this.push[i] : 0)))));
  }
  batch(x, y, z) {
    if (this.length === DEPTH) {
      this.counts.overruns++;
      this.overrun = this.latched = true;
      if (this.mode === STOP_WHEN_FULL) { this.update(); return; }
      this.first = (this.first + 1) % DEPTH;
      this.length--;
    }
    const at = (this.first + this.length) % DEPTH, { words, axis } = this;
    // With one axis selected only that one is measured (section "FIFO", single-axis mode).
    words[3 * at] = axis > 1 ? 0 : x;
    words[3 * at + 1] = axis === 1 || axis === 3 ? 0 : y;
    words[3 * at + 2] = axis === 1 || axis === 2 ? 0 : z;
    this.tags[at] = TAGS[this.tagCount];
    this.tagCount = (this.tagCount + 1) & 3;
    this.length++;
    this.counts.samples++;
    const { length } = this;
    if (length === this.watermark || length === DEPTH || this.registers[INT1_CTRL] & INT1_DRDY) this.update();
  }
  update() { this.driveInterrupt(); }
  interruptLevel() {
    const r = this.registers, enabled = r[INT1_CTRL], { length } = this;
    const active = ((enabled & INT1_WATERMARK) && this.watermark && length >= this.watermark)
      || ((enabled & INT1_FULL) && length === DEPTH) || ((enabled & INT1_OVERRUN) && this.overrun)
      || ((enabled & INT1_DRDY) && this.fresh);
    const level = active ? 1 : 0;
    return r[CTRL3_C] & INT_ACTIVE_LOW ? 1 - level : level;
  }

  readRegister(address) {
    if (address >= FIFO_TAG && address <= FIFO_Z_H) {
      if (address === FIFO_TAG) this.pull();
      return this.word[address - FIFO_TAG];
    }
    if (address >= OUTX_L && address <= OUTZ_H) {
      const v = this.latest[(address - OUTX_L) >> 1];
      if (this.fresh) { this.fresh = false; this.driveInterrupt(); }
      return (address & 1 ? v >> 8 : v) & 255;
    }
    switch (address) {
      case WHO_AM_I: return this.identityNow;
      case STATUS: return this.fresh ? 1 : 0;
      case FIFO_STATUS1: return this.length & 255;
      case FIFO_STATUS2: {
        const status = (this.watermark && this.length >= this.watermark ? WATERMARK : 0) | (this.overrun ? OVERRUN : 0)
          | (this.length === DEPTH ? FULL : 0) | (this.latched ? OVERRUN_LATCHED : 0) | (this.length >> 8);
        this.latched = false;           // cleared by reading it
        return status;
      }
    }
    return this.registers[address];
  }
  // The oldest word goes into the output registers; an empty FIFO gives tag 0.
  pull() {
    const { word, words } = this;
    if (!this.length) { this.counts.early_reads++; word.fill(0); return; }
    const { first } = this;
    word[0] = this.tags[first];
    for (let i = 0; i < 3; i++) {
      const v = words[3 * first + i];
      word[1 + 2 * i] = v & 255;
      word[2 + 2 * i] = (v >> 8) & 255;
    }
    this.first = (first + 1) % DEPTH;
    this.length--;
    this.overrun = false;
    if (this.length === this.watermark - 1 || this.length === DEPTH - 1) this.driveInterrupt();
  }
  writeRegister(address, value) {
    if (address === WHO_AM_I || (address >= STATUS && address < 0x40) || address >= INTERNAL_FREQ_FINE) return;
    if (address === CTRL3_C && value & (SW_RESET | BOOT)) { this.reset(); return; }
    this.registers[address] = value;
    this.decode();
    if (address === FIFO_CTRL4 && this.mode === BYPASS) this.clearFifo();
    this.update();
  }

  selected() { this.address = -1; }
  deselected() {}
  spi(byte, bus) {
    if (this.address < 0) {
      if ((bus.mode !== 3 && bus.mode !== 0) || bus.hz > SPI_MAX_HZ) { this.counts.spi_faults++; this.address = -1; return 0xff; }
      this.reading = (byte & 0x80) !== 0;
      this.address = byte & 127;
      return 0xff;
    }
    const { address } = this;
    let answer = 0xff;
    if (this.reading) answer = this.readRegister(address); else this.writeRegister(address, byte);
    // Within the FIFO's output the address rolls over, so that one burst empties it (section "FIFO").
    if (this.registers[CTRL3_C] & IF_INC) this.address = address === FIFO_Z_H ? FIFO_TAG : (address + 1) & 127;
    return answer;
  }
}
