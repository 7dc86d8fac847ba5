// A peripheral's FIFO of a few entries.

export class Fifo {
  constructor(depth) { this.entries = new Uint32Array(depth); this.first = 0; this.length = 0; }
  get empty() { return this.length === 0; }
  get full() { return this.length === this.entries.length; }
  // `push` needs room, `pull` and `peek` an entry.
  push(value) { this.entries[(this.first + this.length++) % this.entries.length] = value; }
  pull() {
    const value = this.entries[this.first];
    this.first = (this.first + 1) % this.entries.length;
    this.length--;
    return value;
  }
  peek() { return this.entries[this.first]; }
  clear() { this.length = 0; }
}
