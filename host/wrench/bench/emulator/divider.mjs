// The SIO's integer divider (RP2040 datasheet section 2.3.1.5) in the memory that translated code shares.
//
// It neither knows the time nor changes anything else, and MicroPython divides at every look-up in a dictionary: two
// thirds of all accesses to peripherals are these. What it computes is what rp2040js's does, by zero as well.

export const DIVIDER_CELL = 4;          // the first of its cells: dividend, divisor, quotient, remainder, status
const DIVIDEND = DIVIDER_CELL, DIVISOR = DIVIDER_CELL + 1, QUOTIENT = DIVIDER_CELL + 2, REMAINDER = DIVIDER_CELL + 3;
const STATUS = DIVIDER_CELL + 4, READY = 1, DIRTY = 2;
export const FIRST = 0x60, LAST = 0x78; // offsets of its registers in SIO
const UDIVIDEND = 0x60, UDIVISOR = 0x64, SDIVIDEND = 0x68, SDIVISOR = 0x6c, QUOTIENT_AT = 0x70, REMAINDER_AT = 0x74;

export class Divider {
  constructor(cells) { this.cells = cells; }

  // Takes the place of the one in `sio`, as it is after a reset.
  attach(sio) {
    const { cells } = this;
    for (const [name, cell] of [['divDividend', DIVIDEND], ['divDivisor', DIVISOR], ['divQuotient', QUOTIENT],
      ['divRemainder', REMAINDER], ['divCSR', STATUS]]) {
      cells[cell] = sio[name];
      Object.defineProperty(sio, name, { get: () => cells[cell] >>> 0, set: (value) => { cells[cell] = value; } });
    }
  }

  read(offset) {
    const { cells } = this;
    switch (offset) {
      case UDIVIDEND: case SDIVIDEND: return cells[DIVIDEND];
      case UDIVISOR: case SDIVISOR: return cells[DIVISOR];
      case QUOTIENT_AT: cells[STATUS] &= ~DIRTY; return cells[QUOTIENT];
      case REMAINDER_AT: return cells[REMAINDER];
    }
    return cells[STATUS];
  }
  write(offset, value) {
    const { cells } = this;
    switch (offset) {
      case UDIVIDEND: case SDIVIDEND: cells[DIVIDEND] = value; break;
      case UDIVISOR: case SDIVISOR: cells[DIVISOR] = value; break;
      case QUOTIENT_AT: cells[QUOTIENT] = value; cells[STATUS] = READY | DIRTY; return;
      case REMAINDER_AT: cells[REMAINDER] = value; cells[STATUS] = READY | DIRTY; return;
      default: return;
    }
    this.divide(offset === SDIVIDEND || offset === SDIVISOR);
  }
  divide(signed) {
    const { cells } = this, a = cells[DIVIDEND], b = cells[DIVISOR];
    if (b === 0) {
      cells[QUOTIENT] = a ? -1 : 1;
      cells[REMAINDER] = a;
    } else if (signed) {
      cells[QUOTIENT] = a / b;
      cells[REMAINDER] = a % b;
    } else {
      cells[QUOTIENT] = (a >>> 0) / (b >>> 0);
      cells[REMAINDER] = (a >>> 0) % (b >>> 0);
    }
    cells[STATUS] = READY | DIRTY;
  }
}
