// What translated code and the rest agree on.

import { CELLS_AT } from './memory.mjs';

// Cells: N and Z (as one value), C and V in the form of `fast_core.mjs`; the divider's five (`divider.mjs`); the cycles
// left when translated code ends or calls, the count at which none are left, and the line of flash that is executed from.
export const N_CELL = 0, C_CELL = 1, V_CELL = 2, LEFT_CELL = 9, TOP_CELL = 10, LINE_CELL = 11;
export const cellAt = (cell) => CELLS_AT + 4 * cell;

// Why translated code has ended.
export const UNTRANSLATED = 0;          // no translation begins at the PC
export const BUDGET = 1;                // the next event may come within the block
export const LEFT_OUT = 2;              // the instruction at the PC is left to the interpreter
export const FETCHED = 3;               // the instruction at the PC has been fetched, and paid for, and is to be executed

// A head: where a region's function is in the table, and which of its blocks begins there.
export const BLOCK_BITS = 8;
export const NEVER = -0x80000000;       // never translate this; else a head that is not positive counts what came there

// The functions that every module imports, with the number of parameters; all give an i32 or nothing.
export const IMPORTS = [
  ['load32', 4, true], ['load16', 4, true], ['load8', 4, true],           // (address, pc, cycles left, line)
  ['store32', 5, false], ['store16', 5, false], ['store8', 5, false],     // (address, value, pc, cycles left, line)
  ['overwritten', 2, true],                                               // (address, size); 1 where code is gone
  ['look', 1, true],                                                      // (address): what the XIP cache charges
  ['divide', 1, false],                                                   // (signed)
];
export const CALLS = Object.fromEntries(IMPORTS.map(([name], index) => [name, index]));
