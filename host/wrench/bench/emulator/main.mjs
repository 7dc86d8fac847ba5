// The emulated board as a child process: requests on standard input, one answer each on standard output, in order.
// A message is: u32 length of all that follows, u32 length of the JSON, the JSON, then the JSON's `parts` in order
// (`parts`: [[name, bytes], ...]). It ends with its parent: when standard input closes.

import fs from 'node:fs';
import { Chip } from './chip.mjs';
import { FLASH_SIZE } from './flash.mjs';

const SRAM_BASE = 0x20000000;

let chip = null;

function start(request, parts) {
  chip = new Chip({
    ...request.options,
    bootrom: new Uint32Array(parts.bootrom.buffer.slice(parts.bootrom.byteOffset, parts.bootrom.byteOffset + parts.bootrom.length)),
    flash: parts.flash,
  }, chip);
  return {};
}

const int16 = (bytes) => new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));

// A packet is its length in a byte, and its bytes.
function* packetsIn(bytes) {
  for (let at = 0; at < bytes.length; at += 1 + bytes[at]) yield bytes.slice(at + 1, at + 1 + bytes[at]);
}
const packed = (packets) => Buffer.concat(packets.flatMap((packet) => [Uint8Array.of(packet.length), packet]));

function step(request, parts) {
  const { adc, adc_rates: adcRates, device_faults: deviceFaults, inputs, serial, usb, power } = request;
  const { inputs_at_page_program: inputsAtProgram } = request;
  if (request.button_held !== undefined) chip.buttonHeld = request.button_held;
  if (request.timer_start_us !== undefined) chip.timerStartUs = request.timer_start_us;
  if (power === false) chip.powerDown();
  if (request.reset_pin) chip.resetPin();
  if (power === true) chip.powerUp();
  if (adc) for (const [channel, code] of Object.entries(adc)) chip.setAdc(+channel, code);
  if (deviceFaults) for (const [index, faults] of Object.entries(deviceFaults)) chip.setDeviceFaults(+index, faults);
  if (usb?.plugged !== undefined) chip.plugUsb(usb.plugged);
  if (serial) serial.forEach((wanted, index) => chip.wantSerial(index, wanted));
  for (const [name, bytes] of Object.entries(parts)) {
    const [what, index] = name.split(':');
    if (what === 'signal' && chip.powered) {
      chip.devices[index].feed(int16(bytes));
    } else if (what === 'adc') {
      chip.followAdc(+index, int16(bytes), adcRates[index]);
    } else if (what === 'tx' && chip.powered) {
      chip.usb.write(+index, bytes);
    } else if (what === 'packets' && chip.powered) {
      for (const packet of packetsIn(bytes)) chip.usb.pipe?.write(packet);
    }
  }
  chip.schedule(inputs ?? []);
  if (inputsAtProgram) chip.inputsAtProgram.push(...inputsAtProgram);
  if (request.power_off_at_write_ns !== undefined) chip.powerOffAtWrite = request.power_off_at_write_ns;
  if (request.power_off_ns !== undefined) chip.powerOffIn(request.power_off_ns);
  chip.run(request.ns);
  return report();
}

function report() {
  const parts = [], now = chip.now;
  const meters = chip.powered ? chip.pins.meters : chip.heldMeters;
  const answer = {
    now_ns: now,
    idle_ns: chip.idleNs,
    powered: chip.powered,
    pins: Object.fromEntries([...meters].map(([pin, meter]) => [pin, meter.take(now)])),
    serial_functions: chip.powered ? chip.usb.functions.length : 0,
    unsent: chip.powered ? chip.usb.functions.map((f) => f.out.length) : [],
    boot_pipe: chip.powered && chip.usb.pipe !== null,
    detached: chip.detached,
    resets: chip.resets,
    devices: chip.powered ? chip.devices.map((d) => ({ ...d.counts, buffered: d.buffered })) : [],
    flash: chip.flashCounts,
    flash_writes: chip.flashWrites,
  };
  const { cache } = chip.processor;
  if (cache) answer.xip = { hits: cache.hits, misses: cache.misses };
  chip.resets = [];
  chip.flashWrites = [];
  chip.detached = 0;
  for (const [index, bytes] of chip.serial) {
    const last = parts[parts.length - 1];
    if (last && last.name === `rx:${index}`) last.chunks.push(bytes); else parts.push({ name: `rx:${index}`, chunks: [bytes] });
  }
  chip.serial = [];
  const answers = parts.map((p) => [p.name, Buffer.concat(p.chunks)]);
  if (chip.packets.length) answers.push(['packets', packed(chip.packets)]);
  chip.packets = [];
  return [answer, answers];
}

const operations = {
  start,
  step,
  memory: ({ at, size }) => [{}, [['memory', Buffer.from(chip.processor.memory.sram8.subarray(at - SRAM_BASE, at - SRAM_BASE + size))]]],
  trace: ({ since_ns: since }) => {
    if (!chip.trace) return { pins: [] };
    const [rows, bytes] = chip.trace.take(since), [pins, times] = chip.trace.takeEdges(since);
    return [{ pins, powers: chip.trace.powers }, [['rows', rows], ['bytes', bytes], ['times', times]]];
  },
  flash: () => [{}, [['flash', Buffer.from(chip.flash.subarray(0, FLASH_SIZE))]]],
};

function answer(message, parts = []) {
  const json = Buffer.from(JSON.stringify({ ...message, parts: parts.map(([name, bytes]) => [name, bytes.length]) }));
  const total = 4 + json.length + parts.reduce((n, [, b]) => n + b.length, 0), head = Buffer.alloc(8);
  head.writeUInt32LE(total, 0);
  head.writeUInt32LE(json.length, 4);
  const message_ = Buffer.concat([head, json, ...parts.map(([, b]) => b)]);
  for (let sent = 0; sent < message_.length;) {
    try {
      sent += fs.writeSync(1, message_, sent);
    } catch (error) {
      if (error.code === 'EPIPE') process.exit(0);
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

function handle(body) {
  const length = body.readUInt32LE(0), request = JSON.parse(body.subarray(4, 4 + length).toString());
  const parts = {};
  let at = 4 + length;
  for (const [name, size] of request.parts ?? []) { parts[name] = body.subarray(at, at + size); at += size; }
  const result = operations[request.op](request, parts);
  if (Array.isArray(result)) answer(...result); else answer(result);
}

let held = Buffer.alloc(0);
process.stdin.on('data', (data) => {
  held = held.length ? Buffer.concat([held, data]) : data;
  while (held.length >= 4 && held.length >= 4 + held.readUInt32LE(0)) {
    const total = held.readUInt32LE(0);
    handle(held.subarray(4, 4 + total));
    held = held.subarray(4 + total);
  }
});
process.stdin.on('end', () => process.exit(0));
process.on('SIGINT', () => {});                             // Ctrl-C goes to the whole group: the parent decides
