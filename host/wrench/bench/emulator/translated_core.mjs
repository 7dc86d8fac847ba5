// Runs what has been translated to WebAssembly, and interprets the rest (`fast_core.mjs`): code that has not been come to
// often, the instructions that translations leave out, and the last few before each event of the clock.
//
// The two agree in every cycle. Both leave a stretch at the same instruction, and whatever looks from outside (a
// peripheral that is read or written, an exception) finds PC and device time as the interpreter would have them.

import { makeEngine } from './engine.mjs';
import { FastCore } from './fast_core.mjs';
import { FLASH_AT } from './memory.mjs';
import {
  BLOCK_BITS, C_CELL, FETCHED, LEFT_CELL, LEFT_OUT, LINE_CELL, N_CELL, TOP_CELL, UNTRANSLATED, V_CELL,
} from './shared.mjs';
import { Translations, slotOf } from './translations.mjs';

const PC = 15;
const ONE_INSTRUCTION = -1;             // a limit that is passed at once, and is not that of a stretch that has ended
const TABLE = 1024;
const FLASH = 0x10, FLASH_SHIFT = 0x10000000 - FLASH_AT, LINE = 8, NOWHERE = -1;

export class TranslatedCore extends FastCore {
  constructor(memory, missCycles) {
    super(memory);
    this.interpret = this.execute;
    this.execute = this.alternate;
    this.near = false;                  // to the next event: what is left is not worth a change
    const table = new WebAssembly.Table({ element: 'anyfunc', initial: TABLE });
    this.engine = makeEngine(memory.wasm, table, missCycles);
    this.heads = memory.heads;
    this.cells = memory.cells;
    this.translations = new Translations(memory, table, this.calls(), missCycles !== 0);
  }

  renew() { return this.translations.renew(); }

  // The interpreter has branched: false lets it go on.
  arrives(pc) { return !this.near && this.translations.arrived(pc); }

  // A stretch.
  alternate() {
    const { clock, core, heads, translations } = this, r = this.memory.registers32;
    if (this.limit <= clock.cycles || core.blTaken !== this.noCallHook) {
      this.interpretOn();
      return;
    }
    do {
      const slot = slotOf(r[PC] & ~1), head = slot < 0 ? 0 : heads[slot];
      if (head <= 0 || (core.N && core.Z)) {
        this.interpret();
        continue;
      }
      const why = this.enterTranslated(head);
      if (why === UNTRANSLATED) {
        if (clock.cycles < this.limit && !translations.arrived(r[PC])) this.interpret();
      } else if (why === FETCHED) {
        this.interpretOne(r[PC]);
      } else if (clock.cycles < this.limit) {
        if (why === LEFT_OUT) this.interpretOne(r[PC]); else this.interpretOn();
      }
    } while (clock.cycles < this.limit);
  }
  interpretOn() {
    this.near = true;
    this.interpret();
    this.near = false;
  }
  interpretOne(at) {
    const { limit } = this;
    this.limit = ONE_INSTRUCTION;
    this.interpret();
    this.translations.leftOut(at);
    if (this.limit === ONE_INSTRUCTION) this.limit = limit;
  }

  enterTranslated(head) {
    const { cells, clock, core } = this;
    cells[N_CELL] = core.N ? -1 : core.Z ? 0 : 1;
    cells[C_CELL] = core.C ? -1 : 0;
    cells[V_CELL] = core.V ? -1 : 0;
    cells[TOP_CELL] = this.limit;
    if (this.cache) this.tellLine();
    const why = this.engine.enter(head >>> BLOCK_BITS, head & ((1 << BLOCK_BITS) - 1), this.limit - clock.cycles);
    if (this.cache) this.takeLine(cells[LINE_CELL]);
    core.N = cells[N_CELL] < 0;
    core.Z = cells[N_CELL] === 0;
    core.C = cells[C_CELL] < 0;
    core.V = cells[V_CELL] < 0;
    clock.cycles = cells[TOP_CELL] - cells[LEFT_CELL];
    clock.charge(0);
    return why;
  }
  // The line of flash that is executed from, as long as it is known to be in the cache.
  tellLine() { this.cells[LINE_CELL] = this.span ? this.from : NOWHERE; }
  takeLine(line) {
    if (line >>> 24 !== FLASH) { this.span = 0; return; }
    this.from = line;
    this.span = LINE;
    this.shift = FLASH_SHIFT;
  }

  load32(at, pc, cycles) { this.translations.wentElsewhere(pc - 2, at); return super.load32(at, pc, cycles); }
  load16(at, pc, cycles) { this.translations.wentElsewhere(pc - 2, at); return super.load16(at, pc, cycles); }
  load8(at, pc, cycles) { this.translations.wentElsewhere(pc - 2, at); return super.load8(at, pc, cycles); }
  store32(at, x, pc, cycles) { this.translations.wentElsewhere(pc - 2, at); super.store32(at, x, pc, cycles); }
  store16(at, x, pc, cycles) { this.translations.wentElsewhere(pc - 2, at); super.store16(at, x, pc, cycles); }
  store8(at, x, pc, cycles) { this.translations.wentElsewhere(pc - 2, at); super.store8(at, x, pc, cycles); }

  // What translated code calls: `IMPORTS` says how.
  calls() {
    const { cells, engine } = this;
    const before = (left, line) => {
      if (this.cache) this.takeLine(line);
      return (cells[TOP_CELL] - left) | 0;
    };
    const after = () => {
      if (this.limit === 0) {                       // the stretch ends here
        cells[TOP_CELL] = this.cycles;
        cells[LEFT_CELL] = 0;
      } else {
        cells[LEFT_CELL] = this.limit - this.cycles;
      }
      if (this.cache) this.tellLine();
    };
    // Written out one by one: V8 then calls each method straight.
    return {
      load32: (at, pc, left, line) => {
        const x = super.load32(at, pc, before(left, line));
        after();
        return x;
      },
      load16: (at, pc, left, line) => {
        const x = super.load16(at, pc, before(left, line));
        after();
        return x;
      },
      load8: (at, pc, left, line) => {
        const x = super.load8(at, pc, before(left, line));
        after();
        return x;
      },
      store32: (at, x, pc, left, line) => {
        super.store32(at, x, pc, before(left, line));
        after();
      },
      store16: (at, x, pc, left, line) => {
        super.store16(at, x, pc, before(left, line));
        after();
      },
      store8: (at, x, pc, left, line) => {
        super.store8(at, x, pc, before(left, line));
        after();
      },
      overwritten: (address, size) => +this.translations.changed(address >>> 0, size),
      look: engine.look, divide: engine.divide,
    };
  }
}
