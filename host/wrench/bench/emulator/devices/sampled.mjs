// What sampled sensors have in common: the rhythm of their own clock, the signal they take, the interrupt pin, faults.
//
// A sensor has `identity`, `reset()` for its registers, `interruptLevel()`, and `take(x, y, z)`, called at each of its own
// instants with raw counts; while `faults.stuck`, what it gives out stays what it was.

import { Faults } from './faults.mjs';

export class SampledSensor {
  // int1: the GPIO its interrupt pin is wired to, or null; period_ns: of its own clock at its highest rate, at which
  // its signal comes.
  constructor({ int1 = null, period_ns }, index = 0) {
    this.int1 = int1;
    this.period = period_ns;
    this.next = null;
    this.signal = new Int16Array(0);
    this.at = 0;
    this.behind = 0;                        // of a triple, where the clock is not right
    this.counts = { samples: 0, overruns: 0, starved: 0, early_reads: 0, spi_faults: 0 };
    this.faults = new Faults(index + 1);
  }

  // The chip has booted: the sensor's registers, FIFO and rhythm go on where they were.
  attach(chip) {
    this.chip = chip;
    this.next ??= chip.now + this.period;
    this.tick = chip.clock.createAlarm(() => {
      this.next += this.period / this.faults.clock;
      this.tick.schedule(this.next - chip.now);
      this.sample();
    });
    this.tick.schedule(Math.max(0, this.next - chip.now));
    this.driveInterrupt();
  }

  setFaults(faults) {
    this.faults.set(faults);
    if (faults.reset) this.reset();
    this.driveInterrupt();
  }

  // More signal at the sensor's own rate: Int16Array of x, y, z triples, taken one triple at each tick.
  feed(signal) {
    const rest = this.signal.subarray(this.at), joined = new Int16Array(rest.length + signal.length);
    joined.set(rest); joined.set(signal, rest.length);
    this.signal = joined; this.at = 0;
  }
  get buffered() { return (this.signal.length - this.at) / 3; }

  sample() {
    if (this.at + 3 > this.signal.length) { this.counts.starved++; return; }
    const { signal, at } = this;
    if (this.faults.clock === 1) {
      this.at += 3;
    } else {                                // a slow clock takes the signal as it is then, and misses what was between
      this.behind += 1 / this.faults.clock;
      const whole = Math.floor(this.behind);
      this.behind -= whole;
      this.at = Math.min(this.at + 3 * whole, signal.length);
    }
    this.take(signal[at], signal[at + 1], signal[at + 2]);
  }

  get identityNow() { return this.faults.identity ?? this.identity; }

  // A dead line, or one of a sensor that is not there, stays where its pull leaves it.
  driveInterrupt() {
    if (this.int1 === null || this.int1 === undefined) return;
    this.chip.pins.drive(this.int1, this.faults.interrupt_dead || this.faults.absent ? null : this.interruptLevel());
  }
}
