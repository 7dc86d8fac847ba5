// WebAssembly's binary format, as much of it as translated code needs (WebAssembly Core Specification 2.0, chapter 5;
// tail calls: the proposal of that name).

export const I32 = 0x7f, FUNCREF = 0x70;
const VOID = 0x40;

const FIRST_SIZE = 1 << 10, ROOM = 512;                  // bytes

// Bytes, as of one function's body. Labels are absolute: `block`, `loop` and `if` return the level that `br` goes to.
// Writing checks no bounds: `room` is to be called before each `ROOM` bytes or fewer.
export class Body {
  constructor() {
    this.buffer = new Uint8Array(FIRST_SIZE);
    this.length = 0;
    this.level = 0;
  }
  get bytes() { return this.buffer.subarray(0, this.length); }
  room(size = ROOM) {
    if (this.length + size <= this.buffer.length) return;
    const larger = new Uint8Array(Math.max(2 * this.buffer.length, this.length + size));
    larger.set(this.bytes);
    this.buffer = larger;
  }
  byte(byte) {
    this.buffer[this.length++] = byte;
    return this;
  }
  op(first, second, third) {
    const { buffer } = this;
    buffer[this.length++] = first;
    if (second === undefined) return this;
    buffer[this.length++] = second;
    if (third !== undefined) buffer[this.length++] = third;
    return this;
  }
  number(n) {                                            // LEB128 without a sign
    const { buffer } = this;
    for (; n > 127; n >>>= 7) buffer[this.length++] = (n & 127) | 128;
    buffer[this.length++] = n;
    return this;
  }
  signed(n) {
    const { buffer } = this;
    for (n |= 0; n < -64 || n > 63; n >>= 7) buffer[this.length++] = (n & 127) | 128;
    buffer[this.length++] = n & 127;
    return this;
  }
  i32(n) { return this.byte(0x41).signed(n); }
  clear() {
    this.length = 0;
    return this;
  }
  i64(n) { return this.op(0x42, n); }                    // 0 to 63
  get(local) { return this.op(0x20, local); }
  set(local) { return this.op(0x21, local); }
  tee(local) { return this.op(0x22, local); }
  access(opcode, alignment, offset) { return this.op(opcode, alignment).number(offset); }
  load32(offset) { return this.access(0x28, 2, offset); }
  store32(offset) { return this.access(0x36, 2, offset); }
  call(index) { return this.op(0x10, index); }
  returnCallIndirect(type) { return this.op(0x13, type, 0); }
  callIndirect(type) { return this.op(0x11, type, 0); }

  block() { this.op(0x02, VOID); return ++this.level; }
  loop() { this.op(0x03, VOID); return ++this.level; }
  if(result = VOID) { this.op(0x04, result); return ++this.level; }
  else() { return this.op(0x05); }
  end() { this.level--; return this.op(0x0b); }
  br(level) { return this.op(0x0c).number(this.level - level); }
  brIf(level) { return this.op(0x0d).number(this.level - level); }
  brTable(levels) {
    this.room(2 * levels.length + ROOM);
    this.op(0x0e).number(levels.length - 1);
    for (const level of levels) this.number(this.level - level);
    return this;
  }
  append(bytes) {
    this.room(bytes.length + ROOM);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
    return this;
  }
}

// Opcodes without operands.
export const ops = {
  return: 0x0f, select: 0x1b, drop: 0x1a, unreachable: 0x00,
  eqz: 0x45, eq: 0x46, ne: 0x47, ltS: 0x48, ltU: 0x49, gtS: 0x4a, gtU: 0x4b, leS: 0x4c, leU: 0x4d, geS: 0x4e, geU: 0x4f,
  clz: 0x67, add: 0x6a, sub: 0x6b, mul: 0x6c, divS: 0x6d, divU: 0x6e, remS: 0x6f, remU: 0x70, and: 0x71, or: 0x72, xor: 0x73,
  shl: 0x74, shrS: 0x75, shrU: 0x76, rotl: 0x77, rotr: 0x78, extend8: 0xc0, extend16: 0xc1,
  wrap: 0xa7, extendU: 0xad, extendS: 0xac, shl64: 0x86, shrS64: 0x87, shrU64: 0x88,
};

// parts: types: [[parameters, results], ...]; imports: [[name, {func: type} | {memory: pages} | {table: size}], ...], all
// from the module 'env'; functions: [{type, locals: number of i32, code: bytes}]; exports: [[name, function index]];
// elements: function indices that go into the table from `elementsAt` on.
export function moduleOf({ types, imports, functions, exports = [], elementsAt = 0, elements = [] }) {
  const out = new Body();
  out.append([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const section = (id, items, write) => {
    if (!items.length) return;
    const content = new Body().number(items.length);
    for (const item of items) { content.room(); write(content, item); }
    out.byte(id).number(content.length).append(content.bytes);
  };
  const name = (body, text) => body.number(text.length).append(Buffer.from(text));
  const list = (body, numbers) => {
    body.number(numbers.length);
    for (const n of numbers) { body.room(); body.number(n); }
    return body;
  };
  section(1, types, (body, [from, to]) => list(list(body.byte(0x60), from), to));
  section(2, imports, (body, [as, { func, memory, table }]) => {
    name(name(body, 'env'), as);
    if (func !== undefined) body.byte(0).number(func);
    else if (memory !== undefined) body.op(2, 1).number(memory).number(memory);
    else body.op(1, FUNCREF, 0).number(table);
  });
  section(3, functions, (body, { type }) => body.number(type));
  section(7, exports, (body, [as, index]) => name(body, as).byte(0).number(index));
  section(9, elements.length ? [elements] : [], (body) => list(body.byte(0).i32(elementsAt).byte(0x0b), elements));
  section(10, functions, (body, { locals, code }) => {
    const declared = new Body();
    if (locals) declared.byte(1).number(locals).byte(I32); else declared.byte(0);
    body.number(declared.length + code.length).append(declared.bytes).append(code);
  });
  return out.bytes;
}
