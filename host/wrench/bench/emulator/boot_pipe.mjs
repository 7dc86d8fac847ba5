// The host's end of the boot ROM's interface for programs (PICOBOOT, datasheet section 2.8.5): packets both ways.
// The ROM double-buffers these two endpoints and fills one buffer at a time, the other next (section 4.1.2.5.1).

import { BOOT_ROM } from './trace.mjs';

const BUF_AVAILABLE = 1 << 10, BUF_FULL = 1 << 15, BUF_LENGTH = 0x3ff, PACKET = 64;
const IN_CONTROL = 0x80, OUT_CONTROL = 0x84, ENDPOINT_STRIDE = 8;
const TYPE_INTERFACE = 4, TYPE_ENDPOINT = 5, CLASS_VENDOR = 0xff;

export class BootPipe {
  // host: the UsbHost; onPacket is called with the bytes of each packet from the board.
  constructor(host, endpoints, onPacket) {
    this.host = host;
    this.onPacket = onPacket;
    this.waiting = [];              // packets for the board
    this.out = { number: endpoints.out, out: true, control: OUT_CONTROL + ENDPOINT_STRIDE * endpoints.out, next: 0 };
    this.in = { number: endpoints.in, out: false, control: IN_CONTROL + ENDPOINT_STRIDE * endpoints.in, next: 0 };
    this.outAlarm = host.clock.createAlarm(() => this.deliver());
    this.inAlarm = host.clock.createAlarm(() => this.take());
  }
  close() { this.outAlarm.cancel(); this.inAlarm.cancel(); }

  write(bytes) {
    this.waiting.push(bytes);
    this.move();
  }
  // The board has made the first buffer ready before this pipe was known, and the controller's model has taken the mark.
  armedEarly(endpoint) {
    if (endpoint === this.out.number) this.mark(this.out, 0, BUF_AVAILABLE);
  }
  // The board has written a word of its USB memory; true where it was one of this pipe's.
  wrote(offset) {
    if (offset !== this.out.control && offset !== this.in.control) return false;
    this.move();
    return true;
  }

  move() {
    const { packetNs } = this.host;
    if (this.waiting.length && this.ready(this.out) >= 0 && !this.outAlarm.scheduled) this.outAlarm.schedule(packetNs);
    if (this.ready(this.in) >= 0 && !this.inAlarm.scheduled) this.inAlarm.schedule(packetNs);
  }
  deliver() {
    const { usb, rp2040 } = this.host, half = this.ready(this.out);
    if (half < 0) return;
    const bytes = this.waiting.shift();
    this.host.traceOut(BOOT_ROM, bytes, this.host.packetNs);
    rp2040.usbDPRAM.set(bytes, usb.getEndpointBufferOffset(this.out.number, true) + PACKET * half);
    this.end(this.out, half, BUF_FULL | bytes.length);
  }
  take() {
    const { usb, rp2040 } = this.host, half = this.ready(this.in);
    if (half < 0) return;
    const length = this.state(this.in, half) & BUF_LENGTH;
    const from = usb.getEndpointBufferOffset(this.in.number, false) + PACKET * half;
    const bytes = rp2040.usbDPRAM.slice(from, from + length);
    this.end(this.in, half, length);
    this.onPacket(bytes);
  }

  // Which of the endpoint's two buffers goes next; -1 while none is ready.
  ready(endpoint) {
    for (const half of [endpoint.next, 1 - endpoint.next]) if (this.state(endpoint, half) & BUF_AVAILABLE) return half;
    return -1;
  }
  state(endpoint, half) {
    return (this.host.rp2040.usbDPRAMView.getUint32(endpoint.control, true) >>> (16 * half)) & 0xffff;
  }
  mark(endpoint, half, state) {
    const view = this.host.rp2040.usbDPRAMView, shift = 16 * half;
    const kept = view.getUint32(endpoint.control, true) & ~((BUF_AVAILABLE | BUF_FULL | BUF_LENGTH) << shift);
    view.setUint32(endpoint.control, (kept | (state << shift)) >>> 0, true);
  }
  end(endpoint, half, state) {
    this.mark(endpoint, half, state);
    endpoint.next = 1 - half;
    this.host.secondBuffer(endpoint.number, endpoint.out, half === 1);
    this.host.usb.indicateBufferReady(endpoint.number, endpoint.out);
    this.move();
  }
}

// {in, out}: the endpoints of the interface of the vendor's class in a configuration descriptor; null without one.
export function bootEndpoints(descriptor) {
  const found = { in: 0, out: 0 };
  let inside = false;
  for (let i = 0; i + 1 < descriptor.length && descriptor[i] >= 2; i += descriptor[i]) {
    const type = descriptor[i + 1];
    if (type === TYPE_INTERFACE) inside = descriptor[i + 5] === CLASS_VENDOR;
    if (type !== TYPE_ENDPOINT || !inside) continue;
    const address = descriptor[i + 2];
    found[address & 0x80 ? 'in' : 'out'] = address & 15;
  }
  return found.in && found.out ? found : null;
}
