// INA226 and INA219 bus and shunt monitors on I2C. Sections and tables: INA226 datasheet SBOS547A, INA219 SBOS448G.
// The plant feeds what the two result registers would hold; a reading changes when a conversion has ended.

import { Faults } from './faults.mjs';

const CONFIG = 0, SHUNT = 1, BUS = 2, POWER = 3, CURRENT = 4, CALIBRATION = 5;
const RESET = 0x8000, TRIGGERED_MODES = [1, 2, 3], POWER_DOWN_MODES = [0, 4];

class Ina {
  constructor(options, index) {
    this.faults = new Faults(index + 1);
    this.counts = { samples: 0 };
    this.buffered = 0;
    this.input = [0, 0];
    this.pointer = 0;
    this.chip = null;
    this.reset();
  }
  reset() {
    this.config = this.resetConfig;
    this.calibration = 0;
    this.shunt = 0;
    this.bus = 0;
    this.ready = false;
    this.done = 0;
    this.begin();
  }
  attach(chip) {
    this.chip = chip;
    this.startNs ??= chip.now;
  }
  begin() { this.startNs = this.chip ? this.chip.now : undefined; this.done = 0; }
  setFaults(faults) {
    this.settle();
    this.faults.set(faults);
    if (faults.reset) this.reset();
  }

  // Int16Array of pairs: bus register (as its 16 bits), shunt register. The last counts.
  feed(signal) {
    if (signal.length < 2) return;
    this.settle();
    this.input = [signal[signal.length - 2] & 0xffff, signal[signal.length - 1]];
  }
  // Takes the result of every conversion that has ended by now.
  settle() {
    if (!this.chip || POWER_DOWN_MODES.includes(this.mode)) return;
    const ended = Math.floor((this.chip.now - this.startNs) / this.conversionNs);
    if (ended <= this.done || (this.done && TRIGGERED_MODES.includes(this.mode))) return;
    this.counts.samples += TRIGGERED_MODES.includes(this.mode) ? 1 : ended - this.done;
    this.done = ended;
    if (this.faults.stuck) return;
    if (this.mode & 2) this.bus = this.input[0];
    if (this.mode & 1) this.shunt = this.limitShunt(this.input[1]);
    this.ready = true;
  }
  get mode() { return this.config & 7; }

  readRegister(register) {
    this.settle();
    switch (register) {
      case CONFIG: return this.faults.identity !== null && this.config === this.resetConfig ? this.configAs(this.faults.identity) : this.config;
      case SHUNT: return this.shunt & 0xffff;
      case BUS: return this.busRegister();
      case POWER: return this.power() & 0xffff;
      case CURRENT: return this.current() & 0xffff;
      case CALIBRATION: return this.calibration;
    }
    return this.otherRegister(register);
  }
  writeRegister(register, value) {
    if (register === CONFIG) {
      this.settle();
      if (value & RESET) { this.reset(); return; }
      this.config = value;
      this.ready = false;
      this.begin();
    } else if (register === CALIBRATION) {
      this.calibration = value & this.calibrationMask;
    }
  }

  started(read) { if (!read) this.at = -1; else this.at = 0; }
  written(byte) {
    if (this.at < 0) this.pointer = byte;
    else if (this.at === 0) this.high = byte;
    else if (this.at === 1) this.writeRegister(this.pointer, (this.high << 8) | byte);
    this.at++;
    return true;
  }
  // The high byte first; both are of one conversion.
  read() {
    if (this.at === 0) this.word = this.readRegister(this.pointer);
    const byte = this.at & 1 ? this.word & 255 : this.word >> 8;
    this.at ^= 1;
    return byte;
  }
}

// Section 7.6 of SBOS547A. Bus: 1.25 mV a bit; shunt: 2.5 uV a bit.
const INA226_TIMES_US = [140, 204, 332, 588, 1100, 2116, 4156, 8244];
const INA226_AVERAGES = [1, 4, 16, 64, 128, 256, 512, 1024];
const MASK_ENABLE = 6, ALERT_LIMIT = 7, MANUFACTURER_ID = 0xfe, DIE_ID = 0xff, CONVERSION_READY = 8;

export class Ina226 extends Ina {
  get resetConfig() { return 0x4127; }
  get calibrationMask() { return 0x7fff; }
  get identity() { return 0x2260; }
  configAs() { return this.config; }
  get conversionNs() {
    const c = this.config, times = INA226_TIMES_US;
    const us = (this.mode & 2 ? times[(c >> 6) & 7] : 0) + (this.mode & 1 ? times[(c >> 3) & 7] : 0);
    return us * INA226_AVERAGES[(c >> 9) & 7] * 1000;
  }
  limitShunt(value) { return value; }
  busRegister() { return this.bus & 0x7fff; }
  current() { return Math.trunc(this.shunt * this.calibration / 2048); }
  power() { return Math.trunc(Math.abs(this.current()) * this.bus / 20000); }
  otherRegister(register) {
    switch (register) {
      case MASK_ENABLE: { const value = this.ready ? CONVERSION_READY : 0; this.ready = false; return value; }
      case ALERT_LIMIT: return 0;
      case MANUFACTURER_ID: return 0x5449;
      case DIE_ID: return this.faults.identity ?? this.identity;
    }
    return 0;
  }
}

// Section 8.6 of SBOS448G. Bus: bits 15 to 3, 4 mV a bit, bit 1 conversion ready, bit 0 overflow; shunt: 10 uV a bit.
const INA219_BITS_US = [84, 148, 276, 532], INA219_CONVERSION_READY = 2, INA219_OVERFLOW = 1;

export class Ina219 extends Ina {
  get resetConfig() { return 0x399f; }
  get calibrationMask() { return 0xfffe; }
  configAs(identity) { return identity; }       // it has no identity register: after a reset the configuration tells it
  get conversionNs() {
    const time = (code) => code & 8 ? 532 << (code & 7) : INA219_BITS_US[code & 3];
    return ((this.mode & 2 ? time((this.config >> 7) & 15) : 0) + (this.mode & 1 ? time((this.config >> 3) & 15) : 0)) * 1000;
  }
  // Table 4: the PGA's range is 40 mV to 320 mV either way.
  limitShunt(value) {
    const most = 4000 << ((this.config >> 11) & 3);
    return Math.max(-most, Math.min(most, value));
  }
  current() { return Math.trunc(this.shunt * this.calibration / 4096); }
  power() {
    this.ready = false;                         // section 8.6.3.2: cleared by reading the power register
    return Math.trunc(Math.abs(this.current()) * (this.bus >> 3) / 5000);
  }
  busRegister() {
    const overflow = Math.abs(this.current()) > 0x7fff;
    return (this.bus & 0xfff8) | (this.ready ? INA219_CONVERSION_READY : 0) | (overflow ? INA219_OVERFLOW : 0);
  }
  otherRegister() { return 0; }
}
