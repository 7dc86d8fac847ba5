// One emulated RP2040 board: power, resets, pins, flash, buses, USB, and running it for a stretch of time.

import { AdcInputs } from './adc.mjs';
import { entry } from './boot_rom.mjs';
import { I2cBus, SpiBus } from './buses.mjs';
import { Crystal } from './crystal.mjs';
import { Adxl345 } from './devices/adxl345.mjs';
import { Ina219, Ina226 } from './devices/ina2xx.mjs';
import { Mpu6050, Mpu9250 } from './devices/mpu6050.mjs';
import { FLASH_SIZE, IoQspi, SsiFlash } from './flash.mjs';
import { installPeripherals } from './peripherals.mjs';
import { Pins } from './pins.mjs';
import { Processor, kindOf } from './processor.mjs';
import { Trace } from './trace.mjs';
import { UsbHost } from './usb_host.mjs';

const SSI = 0x18000, IO_QSPI = 0x40018, WATCHDOG = 0x40058;
const DEVICES = { adxl345: Adxl345, mpu6050: Mpu6050, mpu9250: Mpu9250, ina226: Ina226, ina219: Ina219 };

export class Chip {
  // options: {bootrom: Uint32Array, flash: Uint8Array(2 MiB), watched: [gpio], devices: [{kind, bus, ...}], flash_timing,
  //           xip_miss_cycles, usb_packet_ns, unique_id: [8 bytes], core: 'translated' | 'fast' | 'library',
  //           button_held, clock_ppm, timer_start_us, trace}
  // before: a chip that is no longer used, whose processor may become this one's.
  constructor(options, before = null) {
    this.options = options;
    const { bootrom, core, xip_miss_cycles: missCycles } = options, flash = options.flash.subarray(0, FLASH_SIZE);
    this.processor = before?.processor;
    if (this.processor?.kind !== kindOf({ core, missCycles }) || !this.processor.renew(flash)) {
      this.processor = new Processor({ bootrom, core, missCycles });
      this.processor.flash.set(flash);
    }
    this.flash = this.processor.flash;
    this.adcInputs = new AdcInputs();
    this.trace = options.trace ? new Trace(() => this.now) : null;
    this.deviceFaults = new Map();
    this.outside = new Map();
    this.usbWanted = [];
    this.usbPlugged = true;
    this.past = 0;                  // ns of device time before the last reset
    this.idleNs = 0;
    this.resets = [];
    this.serial = [];               // [function index, bytes] since last taken
    this.detached = 0;
    this.packets = [];              // from the boot ROM's interface since last taken
    this.buttonHeld = options.button_held ?? false;       // BOOTSEL, looked at when power comes
    this.timerStartUs = options.timer_start_us ?? 0;      // from when power comes or the chip is reset
    this.powered = false;
    this.inputs = [];
    this.inputsAtProgram = [];      // [ns after, gpio, level] for when the next page program begins
    this.flashWrites = [];          // [what, from, until] since last taken
    this.powerOffAt = Infinity;     // when power goes, and how long after the flash chip begins to write it goes
    this.powerOffAtWrite = null;
    this.powerGoes = false;
    this.powerUp();
  }

  get now() { return this.past + (this.powered ? this.clock.nanos : 0); }

  powerUp() {
    if (this.powered) return;
    this.trace?.power(true);
    this.powered = true;
    this.devices = this.options.devices.map((d, i) => new DEVICES[d.kind](d, i));
    this.boot(0, null);
  }
  powerDown() {
    this.powerOffAt = Infinity;
    this.powerOffAtWrite = null;
    this.powerGoes = false;
    if (!this.powered) return;
    this.ssi.powerLost();
    this.leave();
    this.powered = false;
    this.trace?.power(false);
    this.mcu = null;
  }
  // Power goes `ns` from now, in the middle of whatever the chip does then.
  powerOffIn(ns) {
    if (!this.powered) return;
    this.powerOffAtWrite = null;
    this.powerOffAt = Math.min(this.powerOffAt, this.now + ns);
    this.cutAlarm.schedule(this.powerOffAt - this.now);
  }
  // The RUN pin is pulled low for a moment. The devices keep their power.
  resetPin() {
    if (!this.powered) return;
    this.leave();
    this.resets.push([this.past, 0]);
    this.boot(0, null);
  }
  leave() {
    this.trace?.cut();
    this.past += this.clock.nanos;
    this.heldMeters = this.pins.meters;
    this.pins.release(this.past);
    if (this.usb.functions.length || this.usb.pipe) { this.detached++; }
  }

  boot(reason, scratch) {
    const crystal = new Crystal(this.options.clock_ppm, this.timerStartUs);
    this.processor.powerUp(crystal);
    const clock = this.clock = this.processor.clock, mcu = this.mcu = this.processor.rp2040;
    installPeripherals(mcu, this.adcInputs, this.past, crystal.rate);
    this.ssi = new SsiFlash(mcu, this.options.flash_timing);
    this.ssi.uniqueId = this.options.unique_id;
    this.ssi.onWrite = (what, until) => this.flashBusy(what, until);
    this.ssi.onChange = (from, size) => this.processor.flashChanged(from, size);
    if (this.flashCounts) this.ssi.counts = this.flashCounts;
    this.flashCounts = this.ssi.counts;
    mcu.peripherals[SSI] = this.ssi;
    mcu.peripherals[IO_QSPI] = new IoQspi(mcu, this.ssi);

    const watchdog = mcu.peripherals[WATCHDOG];
    watchdog.reason = reason;
    if (scratch) watchdog.scratchData.set(scratch);
    this.resetAsked = null;
    watchdog.onWatchdogTrigger = () => {
      watchdog.alarm.enable = false;                        // it would re-arm with 0 ns: an endless loop
      this.resetAsked = watchdog;
      clock.stopAt = 0;
    };

    this.pins = new Pins(mcu, this.past, this.options.watched, this.trace);
    if (this.heldMeters) {
      for (const [pin, meter] of this.heldMeters) this.pins.meters.set(pin, meter);
    }
    for (const [pin, level] of this.outside) this.pins.drive(pin, level);
    this.inputAlarm = this.clock.createAlarm(() => this.applyInputs());
    this.cutAlarm = this.clock.createAlarm(() => { this.powerGoes = true; clock.stopAt = 0; });
    if (this.powerOffAt < Infinity) this.powerOffIn(this.powerOffAt - this.now);

    this.usb = new UsbHost(mcu, { packetNs: this.options.usb_packet_ns, trace: this.trace });
    this.usb.plugged = this.usbPlugged;
    this.usb.wanted = this.usbWanted;
    this.usb.onData = (index, bytes) => this.serial.push([index, bytes]);
    this.usb.onPacket = (bytes) => this.packets.push(bytes);
    this.usb.onDetach = () => { this.detached++; };

    this.attachDevices();
    const { pc, sp } = entry(mcu.bootrom, this.flash, scratch, this.buttonHeld);
    mcu.core.PC = pc;
    if (sp !== undefined) {
      mcu.core.SP = sp;
      mcu.core.registers[0] = mcu.core.registers[1] = 0;    // USB boot: no activity light, both interfaces
    }
  }

  // The devices on the board's buses keep their state over a chip reset; only power takes it away.
  attachDevices() {
    const spi = new Map(), i2c = new Map();
    this.options.devices.forEach((d, i) => {
      const device = this.devices[i];
      if (d.bus === 'spi') {
        if (!spi.has(d.spi)) spi.set(d.spi, new SpiBus(this.mcu, this.pins, d.spi, this.trace));
        spi.get(d.spi).attach(device, d.cs, i);
      } else {
        const key = d.i2c ?? `${d.sda}/${d.scl}`;
        if (!i2c.has(key)) i2c.set(key, new I2cBus(this.mcu, this.pins, d.i2c ?? null, d.sda, d.scl, this.trace));
        i2c.get(key).attach(device, d.address);
      }
      device.attach(this);
      if (this.deviceFaults.has(i)) device.setFaults({ ...this.deviceFaults.get(i), reset: false });
    });
  }

  // faults: see devices/faults.mjs, and `reset: true`, which happens once. The rest stays until it is set anew.
  setDeviceFaults(index, faults) {
    const { reset, ...lasting } = faults;
    this.deviceFaults.set(index, lasting);
    if (this.powered) this.devices[index].setFaults(faults);
  }

  // What is on the ADC's inputs from now on: a steady code, or codes at a rate.
  setAdc(channel, code) { this.adcInputs.set(channel, code); }
  followAdc(channel, codes, rateHz) { this.adcInputs.follow(channel, codes, rateHz, this.now); }

  // inputs: [[ns from now, gpio, level 0 | 1 | null], ...] in order of time.
  schedule(inputs) {
    const now = this.now;
    for (const [after, pin, level] of inputs) this.inputs.push([now + after, pin, level]);
    this.inputs.sort((a, b) => a[0] - b[0]);
    if (this.powered) this.applyInputs();
  }
  flashBusy(what, until) {
    this.flashWrites.push([what, this.now, this.past + until]);
    if (this.powerOffAtWrite !== null) this.powerOffIn(this.powerOffAtWrite);
    if (what !== 'page program' || !this.inputsAtProgram.length) return;
    this.schedule(this.inputsAtProgram);
    this.inputsAtProgram = [];
  }
  applyInputs() {
    while (this.inputs.length && this.inputs[0][0] <= this.now) {
      const [, pin, level] = this.inputs.shift();
      this.outside.set(pin, level);
      this.pins.drive(pin, level);
    }
    if (this.inputs.length) this.inputAlarm.schedule(this.inputs[0][0] - this.now);
  }

  wantSerial(index, wanted) { this.usbWanted[index] = wanted; if (this.powered) this.usb.setWanted(index, wanted); }
  plugUsb(plugged) { this.usbPlugged = plugged; if (this.powered) this.usb.plug(plugged); }

  // Runs for `ns` of device time.
  run(ns) {
    const end = this.now + ns;
    if (!this.powered) {
      this.past = end;
      while (this.inputs.length && this.inputs[0][0] <= end) {
        const [, pin, level] = this.inputs.shift();
        this.outside.set(pin, level);
      }
      return;
    }
    for (;;) {
      this.idleNs += this.processor.run(end - this.past);
      if (this.powerGoes) {
        this.powerDown();
        this.run(end - this.past);
        return;
      }
      if (!this.resetAsked) return;
      const { reason, scratchData } = this.resetAsked;
      this.leave();
      this.resets.push([this.past, reason]);
      this.boot(reason, Uint32Array.from(scratchData));
      if (this.inputs.length) this.applyInputs();
    }
  }
}
