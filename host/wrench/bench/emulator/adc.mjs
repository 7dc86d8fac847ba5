// The RP2040's ADC with its FIFO (datasheet section 4.9), and the voltages on its inputs.
//
// In the place of rp2040js's, whose round robin picks the wrong channels and whose divider counts from the end of a
// conversion instead of its start.
//
// Each conversion is one event of the clock, with the DMA's transfer in it. Measured: 100,000 a second take 0.03 s.

import { BasePeripheral } from 'rp2040js';
import { DREQ_ADC } from './dma.mjs';
import { Fifo } from './fifo.mjs';

const CS = 0x00, RESULT = 0x04, FCS = 0x08, FIFO = 0x0c, DIV = 0x10, INTR = 0x14, INTE = 0x18, INTF = 0x1c, INTS = 0x20;
const CS_EN = 1, CS_TS_EN = 2, CS_START_ONCE = 4, CS_START_MANY = 8, CS_READY = 1 << 8;
const AINSEL_SHIFT = 12, RROBIN_SHIFT = 16, CS_WRITABLE = CS_EN | CS_TS_EN | CS_START_MANY | (7 << AINSEL_SHIFT) | (0x1f << RROBIN_SHIFT);
const FCS_EN = 1, FCS_SHIFT = 2, FCS_DREQ_EN = 8, FCS_EMPTY = 1 << 8, FCS_FULL = 1 << 9, FCS_UNDER = 1 << 10, FCS_OVER = 1 << 11;
const LEVEL_SHIFT = 16, THRESHOLD_SHIFT = 24, FCS_WRITABLE = 0x0f00000f;
const ADC_FIFO_IRQ = 22;
const CHANNELS = 5, TEMPERATURE_CHANNEL = 4;
const FIFO_DEPTH = 4;                           // section 4.9: "Four element receive sample FIFO"
const CYCLE_NS = 1000 / 48;                     // clk_adc
const CONVERSION_CYCLES = 96;
const NEVER = Infinity;
export const TEMPERATURE_27C = 876;             // section 4.9.5: 0.706 V at 27 degrees C

// Codes on the five inputs: steady, or following a signal of codes at a rate from an instant on.
export class AdcInputs {
  constructor() {
    this.codes = [0, 0, 0, 0, TEMPERATURE_27C];
    this.signals = new Array(CHANNELS).fill(null);
  }
  set(channel, code) { this.signals[channel] = null; this.codes[channel] = code; }
  // codes: Int16Array, the first of them from `startNs` of device time on; after the last one it stays there.
  follow(channel, codes, rateHz, startNs) {
    if (!codes.length) return;
    this.signals[channel] = { codes, rateHz, startNs };
    this.codes[channel] = codes[codes.length - 1];
  }
  at(channel, ns) {
    const signal = this.signals[channel];
    if (signal === null) return this.codes[channel];
    const i = Math.floor((ns - signal.startNs) * signal.rateHz / 1e9 + 1e-6);
    return i < 0 ? signal.codes[0] : i < signal.codes.length ? signal.codes[i] : this.codes[channel];
  }
}

export class Adc extends BasePeripheral {
  // `timeOffset`: device time (ns) at which this chip's clock began; `rate`: its crystal's.
  constructor(rp2040, inputs, timeOffset, rate = 1) {
    super(rp2040, 'ADC');
    this.cycleNs = CYCLE_NS / rate;
    this.inputs = inputs;
    this.timeOffset = timeOffset;
    this.fifo = new Fifo(FIFO_DEPTH);
    this.alarm = rp2040.clock.createAlarm(() => this.convert());
    this.resetBlock();
  }
  resetBlock() {
    this.cs = 0;
    this.fcs = 0;
    this.div = 0;
    this.inte = 0;
    this.intf = 0;
    this.result = 0;
    this.fifo.clear();
    this.startAt = NEVER;                       // of the conversion under way or next to come
    this.channel = -1;                          // latched when it starts
    this.alarm.cancel();
    this.update();
  }

  get periodNs() {
    const cycles = this.div ? 1 + (this.div >>> 8) + (this.div & 255) / 256 : 0;
    return Math.max(CONVERSION_CYCLES, cycles) * this.cycleNs;
  }
  get selected() { return (this.cs >>> AINSEL_SHIFT) & 7; }
  get threshold() { return (this.fcs >>> THRESHOLD_SHIFT) & 15; }
  get interrupt() { return this.fifo.length >= this.threshold ? 1 : 0; }

  // The end of the conversion that began at `startAt`.
  convert() {
    const channel = this.channel < 0 ? this.selected : this.channel;
    const code = this.code(channel, this.startAt);
    this.result = code;
    this.channel = -1;
    const round = (this.cs >>> RROBIN_SHIFT) & 0x1f;
    if (round) {
      let next = channel;
      do next = (next + 1) % CHANNELS; while (!((round >>> next) & 1));
      this.cs = (this.cs & ~(7 << AINSEL_SHIFT)) | (next << AINSEL_SHIFT);
    }
    this.startAt = this.cs & CS_START_MANY && this.cs & CS_EN ? this.startAt + this.periodNs : NEVER;
    this.plan();
    if (!(this.fcs & FCS_EN)) return;
    if (this.fifo.full) { this.fcs |= FCS_OVER; return; }
    this.fifo.push(this.fcs & FCS_SHIFT ? code >>> 4 : code);
    this.update();
  }
  code(channel, ns) {
    if (channel >= CHANNELS || (channel === TEMPERATURE_CHANNEL && !(this.cs & CS_TS_EN))) return 0;
    return this.inputs.at(channel, this.timeOffset + ns) & 0xfff;
  }

  plan() {
    if (this.startAt === NEVER) this.alarm.cancel();
    else this.alarm.schedule(this.startAt + CONVERSION_CYCLES * this.cycleNs - this.rp2040.clock.nanosCounter);
  }
  update() {
    const { dma } = this.rp2040;
    if (this.fcs & FCS_DREQ_EN && this.interrupt) dma.setDREQ(DREQ_ADC); else dma.clearDREQ(DREQ_ADC);
    this.rp2040.setInterrupt(ADC_FIFO_IRQ, ((this.interrupt & this.inte) | this.intf) !== 0);
  }

  readUint32(offset) {
    offset &= 0xfff;
    const { fifo } = this;
    switch (offset) {
      case CS: {
        const busy = this.startAt <= this.rp2040.clock.nanosCounter;
        return this.cs | (this.cs & CS_EN && !busy ? CS_READY : 0);
      }
      case RESULT: return this.result;
      case FCS: return this.fcs | (fifo.length << LEVEL_SHIFT) | (fifo.empty ? FCS_EMPTY : 0) | (fifo.full ? FCS_FULL : 0);
      case FIFO: {
        if (fifo.empty) { this.fcs |= FCS_UNDER; return 0; }
        const value = fifo.pull();
        this.update();
        return value;
      }
      case DIV: return this.div;
      case INTR: return this.interrupt;
      case INTE: return this.inte;
      case INTF: return this.intf;
      case INTS: return (this.interrupt & this.inte) | this.intf;
    }
    return super.readUint32(offset);
  }
  // A write through an alias clears flags only where the program wrote a 1, not where one was read back.
  writeUint32Atomic(offset, value, alias) {
    this.written = alias === 1 || alias === 3 ? 0 : value;
    super.writeUint32Atomic(offset, value, alias);
  }
  writeUint32(offset, value) {
    switch (offset) {
      case CS: this.control(value); return;
      case FCS:
        this.fcs = (this.fcs & ~FCS_WRITABLE & ~(this.written & (FCS_OVER | FCS_UNDER))) | (value & FCS_WRITABLE);
        this.update();
        return;
      case DIV: this.div = value & 0xffffff; return;
      case INTE: this.inte = value & 1; this.update(); return;
      case INTF: this.intf = value & 1; this.update(); return;
    }
    super.writeUint32(offset, value);
  }
  control(value) {
    const now = this.rp2040.clock.nanosCounter;
    if (this.startAt <= now && this.channel < 0) this.channel = this.selected;      // that one goes on
    this.cs = value & CS_WRITABLE;
    if (!(this.cs & CS_EN)) {
      this.startAt = NEVER;
      this.channel = -1;
    } else if (this.channel < 0) {
      if (this.cs & CS_START_MANY) this.startAt = Math.max(now, this.startAt === NEVER ? 0 : this.startAt);
      else this.startAt = value & CS_START_ONCE ? now : NEVER;
    }
    this.plan();
  }
}
