// MPU-6050 and MPU-9250, the accelerometer part, on I2C: registers, FIFO, INT, self-test.
// Sections and registers: MPU-6000/6050 register map RM-MPU-6000A rev. 4.2, MPU-9250 register map RM-MPU-9250A rev. 1.6.
// The gyroscope reads zero. The signal comes at 1 kHz, the accelerometer's own rate, as the output registers would hold it
// in the range `range_g` of the device's options (16 where it is not given); another range set by the chip rescales it.

import { SampledSensor } from './sampled.mjs';

const SELF_TEST_X = 0x0d, SELF_TEST_A = 0x10, SMPLRT_DIV = 0x19, CONFIG = 0x1a, GYRO_CONFIG = 0x1b, ACCEL_CONFIG = 0x1c,
  FIFO_EN = 0x23, INT_PIN_CFG = 0x37, INT_ENABLE = 0x38, INT_STATUS = 0x3a, ACCEL_XOUT_H = 0x3b, TEMP_OUT_H = 0x41,
  GYRO_XOUT_H = 0x43, GYRO_ZOUT_L = 0x48, SIGNAL_PATH_RESET = 0x68, USER_CTRL = 0x6a, PWR_MGMT_1 = 0x6b, PWR_MGMT_2 = 0x6c,
  FIFO_COUNTH = 0x72, FIFO_COUNTL = 0x73, FIFO_R_W = 0x74, WHO_AM_I = 0x75;
const DEVICE_RESET = 0x80, SLEEP = 0x40;
const FIFO_ENABLE = 0x40, FIFO_RESET = 0x04, SIG_COND_RESET = 0x01;
const ACCEL_TO_FIFO = 0x08, TEMP_TO_FIFO = 0x80;
const DATA_RDY = 0x01, FIFO_OFLOW = 0x10;
const INT_LEVEL_LOW = 0x80, LATCH_INT_EN = 0x20, INT_RD_CLEAR = 0x10;
const PULSE_NS = 50_000;                        // INT_PIN_CFG: without LATCH_INT_EN the pin is active for 50 us
const TEMPERATURE_25C = -3920;                  // MPU-6050: 340 counts a degree, 0 at 36.53 degrees C
const AXES = 3;
// Codes in the self-test registers, and the response as a part of what they stand for.
const MPU6050_TRIM = [16, 14, 19], MPU6050_DEVIATION = [1.03, 0.95, 1.08];
const MPU9250_TRIM = [110, 104, 117], MPU9250_DEVIATION = [1.1, 0.85, 1.2];

class Mpu extends SampledSensor {
  constructor(options, index) {
    super(options, index);
    if (options.bus !== 'i2c') throw new Error(`${options.kind} is modelled on I2C only`);
    this.fedG = options.range_g ?? 16;
    this.registers = new Uint8Array(128);
    this.fifo = new Uint8Array(this.fifoBytes);
    this.pointer = 0;
    this.reset();
  }
  reset() {
    this.registers.fill(0);
    this.registers.set(this.selfTestRegisters(), SELF_TEST_X);
    this.registers[PWR_MGMT_1] = this.powerUp;
    this.latest = new Uint8Array(GYRO_ZOUT_L + 1 - ACCEL_XOUT_H);
    this.clearFifo();
    this.lastByte = 0xff;
    this.latchedCount = 0;
    this.phase = 0;
    this.status = 0;
    if (this.chip) this.driveInterrupt();
  }
  clearFifo() { this.fifoFirst = 0; this.fifoLength = 0; }
  attach(chip) {
    this.pulseEnd = chip.clock.createAlarm(() => { this.pulse = false; this.driveInterrupt(); });
    this.pulse = false;
    super.attach(chip);
  }

  take(...counts) {
    const r = this.registers;
    if (r[PWR_MGMT_1] & SLEEP) return;
    const range = (r[ACCEL_CONFIG] >> 3) & 3, out = this.latest;
    if (!this.faults.stuck) counts.forEach((count, axis) => {
      if (r[ACCEL_CONFIG] & (0x80 >> axis)) count += this.selfTestG[axis] * 32768 / this.fedG;
      if (r[PWR_MGMT_2] & (0x20 >> axis)) count = 0;
      const value = Math.max(-32768, Math.min(32767, Math.round(count * this.fedG / (2 << range))));
      out[2 * axis] = (value >> 8) & 255;
      out[2 * axis + 1] = value & 255;
    });
    out[TEMP_OUT_H - ACCEL_XOUT_H] = (TEMPERATURE_25C >> 8) & 255;
    out[TEMP_OUT_H + 1 - ACCEL_XOUT_H] = TEMPERATURE_25C & 255;
    this.counts.samples++;
    for (this.phase += this.samplesATick; this.phase >= 1; this.phase--) this.output();
  }
  // One sample of the chip's own rate: what FIFO_EN selects goes into the FIFO, in the order of the registers.
  output() {
    const r = this.registers, { latest } = this;
    let status = DATA_RDY;
    if (r[USER_CTRL] & FIFO_ENABLE) {
      const before = this.counts.overruns;
      if (r[FIFO_EN] & ACCEL_TO_FIFO) this.store(latest.subarray(0, 6));
      if (r[FIFO_EN] & TEMP_TO_FIFO) this.store(latest.subarray(6, 8));
      for (let axis = 0; axis < AXES; axis++) {
        const at = GYRO_XOUT_H - ACCEL_XOUT_H + 2 * axis;
        if (r[FIFO_EN] & (0x40 >> axis)) this.store(latest.subarray(at, at + 2));
      }
      if (this.counts.overruns > before) status |= FIFO_OFLOW;
    }
    this.raise(status);
  }
  // Register 116: the oldest bytes give way to the newest, byte by byte.
  store(bytes) {
    const { fifo } = this;
    let lost = false;
    for (const byte of bytes) {
      if (this.fifoLength === fifo.length) { this.fifoFirst = (this.fifoFirst + 1) % fifo.length; this.fifoLength--; lost = true; }
      fifo[(this.fifoFirst + this.fifoLength++) % fifo.length] = byte;
    }
    if (lost) this.counts.overruns++;
  }

  raise(status) {
    this.status |= status;
    const r = this.registers;
    if (!(status & r[INT_ENABLE])) return;
    if (!(r[INT_PIN_CFG] & LATCH_INT_EN)) { this.pulse = true; this.pulseEnd.schedule(PULSE_NS); }
    this.driveInterrupt();
  }
  interruptLevel() {
    const r = this.registers;
    const active = r[INT_PIN_CFG] & LATCH_INT_EN ? (this.status & r[INT_ENABLE]) !== 0 : this.pulse === true;
    return active !== !!(r[INT_PIN_CFG] & INT_LEVEL_LOW) ? 1 : 0;
  }

  readRegister(address) {
    const r = this.registers;
    let value = r[address];
    if (address === WHO_AM_I) value = this.identityNow;
    else if (address === INT_STATUS) value = this.status;
    else if (address >= ACCEL_XOUT_H && address <= GYRO_ZOUT_L) value = this.shown[address - ACCEL_XOUT_H];
    else if (address === FIFO_COUNTH) { this.latchedCount = this.fifoLength; value = this.latchedCount >> 8; }
    else if (address === FIFO_COUNTL) value = this.latchedCount & 255;
    else if (address === FIFO_R_W) value = this.pull();
    if (address === INT_STATUS || r[INT_PIN_CFG] & INT_RD_CLEAR) { this.status = 0; this.driveInterrupt(); }
    return value;
  }
  // "If the FIFO buffer is empty, reading this register will return the last byte that was previously read."
  pull() {
    if (this.fifoLength) {
      this.lastByte = this.fifo[this.fifoFirst];
      this.fifoFirst = (this.fifoFirst + 1) % this.fifo.length;
      this.fifoLength--;
    }
    return this.lastByte;
  }
  writeRegister(address, value) {
    const r = this.registers;
    if (address >= INT_STATUS && address <= GYRO_ZOUT_L || address === WHO_AM_I || address >= FIFO_COUNTH && address <= FIFO_R_W) return;
    if (address >= SELF_TEST_X && address <= SELF_TEST_A) return;
    if (address === PWR_MGMT_1 && value & DEVICE_RESET) { this.reset(); return; }
    if (address === SIGNAL_PATH_RESET) return;
    if (address === USER_CTRL) {
      if (value & FIFO_RESET && this.mayClearFifo(value)) this.clearFifo();
      value &= ~(FIFO_RESET | SIG_COND_RESET);
    }
    r[address] = value;
    this.driveInterrupt();
  }

  // Section 4.18: while the bus is idle the output registers follow the sensor, a burst sees one sample.
  started(read) {
    if (!read) this.pointerNext = true;
    this.shown = Uint8Array.from(this.latest);
  }
  written(byte) {
    if (this.pointerNext) { this.pointer = byte & 127; this.pointerNext = false; return true; }
    this.writeRegister(this.pointer, byte);
    this.advance();
    return true;
  }
  read() {
    const value = this.readRegister(this.pointer);
    this.advance();
    return value;
  }
  advance() { if (this.pointer !== FIFO_R_W) this.pointer = (this.pointer + 1) & 127; }
}

export class Mpu6050 extends Mpu {
  get identity() { return 0x68; }
  get powerUp() { return SLEEP; }               // register 107
  get fifoBytes() { return 1024; }
  // Register 25: the gyroscope's output rate, 8 kHz or, with the low-pass filter, 1 kHz, is divided; the accelerometer's
  // 1 kHz samples are repeated.
  get samplesATick() {
    const filter = this.registers[CONFIG] & 7;
    return (filter === 0 || filter === 7 ? 8 : 1) / (1 + this.registers[SMPLRT_DIV]);
  }
  // Register 106: FIFO_RESET works while FIFO_EN is 0.
  mayClearFifo(value) { return !(value & FIFO_ENABLE); }
  // Registers 13 to 16: five bits an axis, the factory trim; the response lies within 14 % of it.
  selfTestRegisters() {
    const [x, y, z] = MPU6050_TRIM;
    return [(x >> 2) << 5, (y >> 2) << 5, (z >> 2) << 5, ((x & 3) << 4) | ((y & 3) << 2) | (z & 3)];
  }
  get selfTestG() { return MPU6050_TRIM.map((code, axis) => 0.34 * (0.92 / 0.34) ** ((code - 1) / 30) * MPU6050_DEVIATION[axis]); }
}

export class Mpu9250 extends Mpu {
  get identity() { return 0x71; }
  get powerUp() { return 0x01; }                // register 107
  get fifoBytes() { return 512; }
  // Register 25: the divider works only on the 1 kHz that registers 26 and 27 select.
  get samplesATick() {
    const filter = this.registers[CONFIG] & 7;
    if (this.registers[GYRO_CONFIG] & 3) return 32;
    return filter === 0 || filter === 7 ? 8 : 1 / (1 + this.registers[SMPLRT_DIV]);
  }
  mayClearFifo() { return true; }
  // AN-MPU-9250A-03: the factory's response at +-2 g is 2620 × 1.01 ^ (code - 1); half to one and a half of it passes.
  selfTestRegisters() { return MPU9250_TRIM; }
  get selfTestG() { return MPU9250_TRIM.map((code, axis) => 2620 / 16384 * 1.01 ** (code - 1) * MPU9250_DEVIATION[axis]); }
}
