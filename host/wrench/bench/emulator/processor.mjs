// The RP2040 itself: rp2040js's chip with its core, memory, clock and costs put right, and running it.

import { ConsoleLogger, LogLevel, RP2040 } from 'rp2040js';
import { CycleClock } from './clock.mjs';
import { XipCache, chargeExceptions, chargeFlashReads } from './cost_model.mjs';
import { Crystal } from './crystal.mjs';
import { FastCore } from './fast_core.mjs';
import { mendWaking, wakes } from './interrupts.mjs';
import { LibraryCore } from './library_core.mjs';
import { Memory, shortcutMemory } from './memory.mjs';
import { mendSysTick } from './systick.mjs';
import { TranslatedCore } from './translated_core.mjs';
import { warmUp } from './warm_up.mjs';

const FLASH_BASE = 0x10000000, SECTOR = 0x1000;
const CORES = {
  translated: (memory, missCycles) => new TranslatedCore(memory, missCycles),
  fast: (memory) => new FastCore(memory),
  library: () => new LibraryCore(),
};

export const kindOf = ({ core, missCycles }) => `${core} ${missCycles}`;

export class Processor {
  // bootrom: Uint32Array; core: 'translated'; 'fast', which interprets; or 'library', rp2040js's own; missCycles: what a miss of the
  // XIP cache costs, 0 for no cache model. `flash` is the content of the flash chip, for the caller to fill.
  constructor({ bootrom, core = 'translated', missCycles = 0 }) {
    this.kind = kindOf({ core, missCycles });
    this.memory = new Memory();
    this.flash = this.memory.flash8;
    this.missCycles = missCycles;
    this.executor = CORES[core](this.memory, missCycles);
    if (core !== 'library') {
      this.powerUp();
      warmUp(this);
    }
    this.memory.bootrom32.set(bootrom);
  }

  // Becomes another chip: what is built in as before, and other flash. Gives false where it has grown too old for that.
  renew(flash) {
    for (let at = 0; at < flash.length; at += SECTOR) {
      const now = flash.subarray(at, at + SECTOR);
      if (Buffer.compare(now, this.flash.subarray(at, at + now.length)) === 0) continue;
      this.flash.set(now, at);
      this.flashChanged(at, now.length);
    }
    return this.executor.renew();
  }

  // The content of the flash chip has been changed by whoever calls this.
  flashChanged(from, size) { this.memory.changed(FLASH_BASE + from, size); }

  // A chip as after power-on or reset: everything is new but boot ROM and flash.
  powerUp(crystal = new Crystal()) {
    const clock = this.clock = new CycleClock(), rp2040 = this.rp2040 = new RP2040(clock);
    rp2040.logger = new ConsoleLogger(LogLevel.Error, false);
    crystal.install(rp2040);
    this.memory.attach(rp2040);
    rp2040.core.reset();
    clock.setFrequency(rp2040.clkSys);
    rp2040.addClockListener((hz) => clock.setFrequency(hz));
    shortcutMemory(rp2040, this.memory);
    mendWaking(rp2040.core);
    mendSysTick(rp2040, clock, crystal.rate);
    chargeExceptions(rp2040.core, clock);
    this.cache = this.missCycles ? new XipCache(this.missCycles, this.memory) : null;
    if (this.cache) chargeFlashReads(rp2040.core, clock, this.cache);
    this.executor.attach(rp2040, clock, this.cache);
  }

  // Runs until `stopAt` (ns), or until someone sets clock.stopAt to an earlier time. Returns the ns spent asleep.
  run(stopAt) {
    const { clock, executor } = this, { core } = this.rp2040;
    let idle = 0;
    clock.rebase();
    clock.stopAt = stopAt;
    while (clock.nanosCounter < clock.stopAt) {
      if (core.waiting) {
        if (wakes(core)) { core.waiting = false; continue; }
        const until = Math.max(clock.nextEvent, clock.nanosCounter);
        idle += until - clock.nanosCounter;
        clock.advanceTo(until);
      } else {
        executor.run();
        const alarm = clock.nextAlarm;
        if (alarm !== null && alarm.nanos <= clock.nanosCounter) clock.advanceTo(clock.nanosCounter);
      }
    }
    return idle;
  }
}
