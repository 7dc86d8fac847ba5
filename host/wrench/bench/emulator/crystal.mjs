// A crystal that is off, and where the microsecond timer begins.
//
// clk_sys, clk_peri, PWM and the serial buses follow rp2040js's `xoscFreq` through the PLLs; what it takes from device
// time as it is (TIMER, the watchdog's tick) is put right here, the ADC and SysTick are told. The ring oscillator, the
// USB host, the flash chip and the sensors have clocks of their own; so has the RTC here, which MicroPython's `time.time`
// reads.

const TIMER = 0x40054, WATCHDOG = 0x40058;

export class Crystal {
  // ppm: how much faster than the world's time it runs; timerStartUs: what TIMER counts from, 0 in a real chip.
  constructor(ppm = 0, timerStartUs = 0) {
    this.rate = 1 + ppm / 1e6;
    this.timerStartUs = timerStartUs;
  }

  // `rp2040`: a chip that has just been made.
  install(rp2040) {
    const { rate } = this, { clock, peripherals } = rp2040, startNs = this.timerStartUs * 1000;
    if (rate === 1 && startNs === 0) return;
    rp2040.xoscFreq *= rate;
    const timer = peripherals[TIMER];
    timer.clock = { get nanos() { return clock.nanos * rate + startNs; } };
    for (const { clockAlarm } of timer.alarms) {
      const schedule = clockAlarm.schedule.bind(clockAlarm);
      clockAlarm.schedule = (chipNs) => schedule(chipNs / rate);
    }
    const watchdog = peripherals[WATCHDOG].timer;
    watchdog.frequency *= rate;
  }
}
