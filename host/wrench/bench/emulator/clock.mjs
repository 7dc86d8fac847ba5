// Device time and its alarms, in the shape that rp2040js expects of its clock.
//
// Time is counted in whole cycles of the core: nanosCounter = base + cycles × period. So the time at an instruction is
// the same whether the core says it after every instruction or once in many thousands; only what moves the clock
// otherwise (an alarm, sleep, a change of clk_sys) moves the base.

const MOST_CYCLES = 1 << 29;            // cycles stay a small integer in V8

export class CycleClock {
  constructor() {
    this.nanosCounter = 0;
    this.nextAlarm = null;
    this.base = 0;
    this.cycles = 0;
    this.period = 8;                    // ns
    this.counted = 0;                   // cycles before the base
    this.stopAt = 0;                    // ns; the present stretch of device time ends there
  }
  get nanos() { return this.nanosCounter; }
  get micros() { return this.nanosCounter / 1000; }
  get nanosToNextAlarm() { return this.nextAlarm === null ? 0 : this.nextAlarm.nanos - this.nanosCounter; }
  get totalCycles() { return this.counted + this.cycles; }
  createAlarm(callback) { return new Alarm(this, callback); }

  setFrequency(hz) {
    this.rebase();
    this.period = 1e9 / hz;
  }
  rebase() {
    this.base = this.nanosCounter;
    this.counted += this.cycles;
    this.cycles = 0;
  }
  charge(cycles) {
    this.cycles += cycles;
    this.nanosCounter = this.base + this.cycles * this.period;
    if (this.cycles >= MOST_CYCLES) this.rebase();
  }

  // The next time at which something other than the core happens.
  get nextEvent() {
    const alarm = this.nextAlarm;
    return alarm === null || alarm.nanos > this.stopAt ? this.stopAt : alarm.nanos;
  }
  // The smallest count of cycles at which the time is `target` or later.
  cyclesAt(target) {
    let n = Math.ceil((target - this.base) / this.period);
    if (this.base + n * this.period < target) n++;          // the quotient was rounded
    else if (this.base + (n - 1) * this.period >= target) n--;
    return Math.min(n, MOST_CYCLES);
  }

  // Runs every alarm up to `target`, each at its own time, and leaves the clock there.
  advanceTo(target) {
    for (let alarm = this.nextAlarm; alarm !== null && alarm.nanos <= target; alarm = this.nextAlarm) {
      alarm.cancel();
      this.nanosCounter = alarm.nanos;
      alarm.callback();
    }
    this.nanosCounter = target;
    this.rebase();
  }
  tick(deltaNanos) { this.advanceTo(this.nanosCounter + deltaNanos); }
}

// One entry of the clock's list, in order of time; of two at the same time the one scheduled last comes first.
class Alarm {
  constructor(clock, callback) {
    this.clock = clock;
    this.callback = callback;
    this.nanos = 0;
    this.scheduled = false;
    this.previous = null;
    this.next = null;
  }
  schedule(deltaNanos) {
    this.cancel();
    const { clock } = this, nanos = clock.nanosCounter + deltaNanos;
    let before = null, after = clock.nextAlarm;
    while (after !== null && after.nanos < nanos) { before = after; after = after.next; }
    this.nanos = nanos;
    this.previous = before;
    this.next = after;
    if (before === null) clock.nextAlarm = this; else before.next = this;
    if (after !== null) after.previous = this;
    this.scheduled = true;
  }
  cancel() {
    if (!this.scheduled) return;
    const { previous, next } = this;
    if (previous === null) this.clock.nextAlarm = next; else previous.next = next;
    if (next !== null) next.previous = previous;
    this.scheduled = false;
  }
}
