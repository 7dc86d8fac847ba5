// The computer at the other end of the USB cable: enumerates the board, finds every CDC-ACM function and moves bytes.
// Written for rp2040js's device controller, which has no host for more than one serial function, completes IN
// transfers at once, sends a double-buffered pair in the wrong order, does not see the pull-up go away, and gives the
// device neither frames (TinyUSB flushes what was printed before the port was opened from their interrupt) nor the idle
// bus of a pulled cable.

import { BootPipe, bootEndpoints } from './boot_pipe.mjs';
import { BOOT_ROM, REFUSED, USB, USB_CONTROL } from './trace.mjs';

const SOF_RD = 0x48, BUFF_CPU_SHOULD_HANDLE = 0x5c, SIE_CTRL = 0x4c, SIE_STATUS = 0x50, INTE = 0x90, PULLUP_EN = 1 << 16;
const SUSPENDED = 1 << 4, DEV_SOF = 1 << 17;
const EP_DOUBLE = 1 << 30, EP_INT_1BUF = 1 << 29;
const BUF_AVAILABLE = 1 << 10, BUF_FULL = 1 << 15, BUF_STALL = 1 << 11, BUF_LENGTH = 0x3ff;
const EP0_IN_BUFFER = 0x80, EP0_OUT_BUFFER = 0x84, EP15_OUT_BUFFER = 0xfc, BUF1_OFFSET = 64;
const GET_DESCRIPTOR = 6, SET_ADDRESS = 5, SET_CONFIGURATION = 9;
const CDC_SET_LINE_CODING = 0x20, CDC_SET_CONTROL_LINE_STATE = 0x22;
const TYPE_DEVICE = 1, TYPE_CONFIGURATION = 2, TYPE_INTERFACE = 4, TYPE_ENDPOINT = 5;
const CLASS_CDC = 2, SUBCLASS_ACM = 2, CLASS_CDC_DATA = 10;

const DEBOUNCE_NS = 100e6;       // USB 2.0 section 7.1.7.3: a host waits at least 100 ms after attach
const RECOVERY_NS = 10e6;        // section 7.1.7.5: 10 ms after the reset, before the first request
const FRAME_NS = 1e6;            // full speed: one start of frame a millisecond
const IDLE_NS = 3e6;             // section 7.1.7.6: a bus idle for 3 ms is suspended
const CONTROL_TIMEOUT_NS = 5e9;   // section 9.2.6.1: so long a host may wait, and Linux does
const ENUMERATION_TRIES = 4;      // as Linux (PORT_INIT_TRIES), with a bus reset before each
const OUT_PACKET_NS = 50e3, STATUS_NS = 20e3;
const NOTHING = new Uint8Array(0);
const REQUEST_GAP_NS = 100e3;     // the status stage must have reached the device before the next setup packet does

export class UsbHost {
  // packetNs: bus time of one 64-byte bulk packet; 19 fit in a 1 ms frame at best (USB 2.0 table 5-9).
  // trace: a Trace, or null.
  constructor(rp2040, { packetNs = 60e3, trace = null } = {}) {
    this.trace = trace;
    this.usb = rp2040.usbCtrl;
    this.rp2040 = rp2040;
    this.clock = rp2040.clock;
    this.packetNs = packetNs;
    this.plugged = true;
    this.pullUp = false;
    this.functions = [];            // serial functions in interface order, once configured
    this.pipe = null;               // the boot ROM's, once configured
    this.second = 0;                // bit per endpoint and direction: its second buffer is the one that is done
    this.wanted = [];               // {open, reading} per function index, kept over re-enumeration
    this.onData = null;             // (function index, Uint8Array)
    this.onPacket = null;           // (Uint8Array) from the boot ROM
    this.onDetach = null;
    this.packets = 0;
    this.requests = [];
    this.request = null;
    this.control0Armed = false;
    this.inQueue = [];              // bulk IN packets that the device has ready, oldest first
    this.inFlight = false;

    this.running = false;           // frames come: from the end of the reset until the cable is pulled
    this.lastFrame = 0;
    this.tries = 0;
    this.resetting = false;

    this.attachAlarm = this.clock.createAlarm(() => { this.rouse(); this.resetBus(); });
    this.frameAlarm = this.clock.createAlarm(() => this.frame());
    this.idleAlarm = this.clock.createAlarm(() => { this.usb.sieStatus |= SUSPENDED; this.usb.sieStatusUpdated(); });
    this.recoveryAlarm = this.clock.createAlarm(() => this.enumerate());
    this.timeoutAlarm = this.clock.createAlarm(() => this.complete(null));
    this.gapAlarm = this.clock.createAlarm(() => { this.resting = false; this.next(); });
    this.resting = false;
    this.busAlarm = this.clock.createAlarm(() => this.busDone());

    const usb = this.usb;
    usb.onUSBEnabled = () => {};
    // The boot ROM clears the flag at its start, too, when there was no reset.
    usb.onResetReceived = () => {
      if (!this.resetting) return;
      this.resetting = false;
      this.closePipe();
      this.running = true;
      this.planFrame();
      this.recoveryAlarm.schedule(RECOVERY_NS);
    };
    usb.onEndpointWrite = (endpoint, bytes) => { if (endpoint === 0) this.controlIn(bytes); };
    usb.onEndpointRead = (endpoint, size) => this.armedOut(endpoint, size);
    const write = usb.writeUint32.bind(usb);
    usb.writeUint32 = (offset, value) => {
      write(offset, value);
      if (offset === SIE_CTRL) this.sawPullUp(!!(value & PULLUP_EN));
      if (offset === INTE) this.planFrame();
      if (offset === SIE_STATUS && usb.rawWriteValue & SUSPENDED) this.rouse();
    };
    const read = usb.readUint32.bind(usb);
    usb.readUint32 = (offset) => {
      if (offset === BUFF_CPU_SHOULD_HANDLE) return this.second;
      if (offset !== SOF_RD) return read(offset);
      usb.intRaw &= ~DEV_SOF;
      usb.checkInterrupts();
      return this.running ? this.frameNumber : this.lastFrame;
    };
    const updated = usb.DPRAMUpdated.bind(usb);
    usb.DPRAMUpdated = (offset, value) => {
      if (this.pipe?.wrote(offset) || this.takeIn(offset, value)) return;
      updated(offset, value);
      const control = offset === EP0_IN_BUFFER || offset === EP0_OUT_BUFFER;
      if (control && value & BUF_STALL && this.request) this.complete(null);
    };
  }

  // ---- cable -------------------------------------------------------------------------------------------------
  plug(plugged) {
    if (plugged === this.plugged) return;
    this.plugged = plugged;
    if (plugged) this.attach(); else this.detach();
  }
  sawPullUp(up) {
    if (up === this.pullUp) return;
    this.pullUp = up;
    if (up) this.attach(); else this.detach();
  }
  attach() {
    if (this.pullUp) this.idleAlarm.schedule(IDLE_NS);
    this.tries = 0;
    if (this.plugged && this.pullUp) this.attachAlarm.schedule(DEBOUNCE_NS);
  }
  // Without VBUS detection, which a Pico does not have, a pulled cable is an idle bus (datasheet section 4.1.2.6.4).
  detach() {
    if (this.pullUp) this.idleAlarm.schedule(IDLE_NS); else this.idleAlarm.cancel();
    this.attachAlarm.cancel();
    this.abandon();
    const had = this.functions.length > 0 || this.pipe !== null;
    this.functions = [];
    this.closePipe();
    if (had) this.onDetach?.();
  }

  // Nothing is on the bus any more, and nothing is expected of it.
  abandon() {
    if (this.running) this.lastFrame = this.frameNumber;
    this.running = false;
    this.usb.resetAlarm.cancel();
    this.frameAlarm.cancel();
    for (const alarm of [this.recoveryAlarm, this.timeoutAlarm, this.gapAlarm, this.busAlarm]) {
      alarm.cancel();
    }
    this.requests = []; this.request = null; this.inQueue = []; this.armedEarly = null;
    this.inFlight = this.control0Armed = this.resting = false;
  }

  resetBus() {
    this.resetting = true;
    this.usb.resetDevice();
  }
  get frameNumber() { return Math.floor(this.clock.nanos / FRAME_NS) & 0x7ff; }

  rouse() {
    this.idleAlarm.cancel();
    this.usb.sieStatus &= ~SUSPENDED;
    this.usb.sieStatusUpdated();
  }
  // Frames are shown only while the device wants to see them.
  planFrame() {
    if (!this.running || !(this.usb.intEnable & DEV_SOF)) { this.frameAlarm.cancel(); return; }
    if (!this.frameAlarm.scheduled) this.frameAlarm.schedule(FRAME_NS - this.clock.nanos % FRAME_NS);
  }
  frame() {
    this.usb.intRaw |= DEV_SOF;
    this.usb.checkInterrupts();
    this.planFrame();
  }

  // ---- control transfers -------------------------------------------------------------------------------------
  next() {
    if (this.request || this.resting || !this.requests.length) return;
    const r = this.request = this.requests.shift();
    r.stage = r.length === 0 ? 'status' : r.type & 0x80 ? 'in' : 'out';
    this.timeoutAlarm.schedule(CONTROL_TIMEOUT_NS);
    this.control0Armed = false;
    r.setup = Uint8Array.of(r.type, r.request, r.value & 255, r.value >> 8, r.index & 255, r.index >> 8, r.length & 255,
      r.length >> 8);
    r.from = this.trace?.now();
    this.usb.sendSetupPacket(r.setup);
  }
  controlIn(bytes) {
    const r = this.request;
    if (!r) return;
    if (r.stage === 'in') {
      r.received.push(...bytes);
      if (r.received.length >= r.length || bytes.length < 64) {
        r.stage = 'status-out';
        if (this.control0Armed) this.acknowledge();
      }
    } else if (r.stage === 'status' && bytes.length === 0) {
      this.complete(r.received);
    }
  }
  armedControl() {
    const r = this.request;
    if (r?.stage === 'out') {
      r.stage = 'status';
      this.usb.endpointReadDone(0, Uint8Array.from(r.data), STATUS_NS / 1000);
    } else if (r?.stage === 'status-out') {
      this.acknowledge();
    } else {
      this.control0Armed = true;
    }
  }
  acknowledge() {
    this.control0Armed = false;
    this.usb.endpointReadDone(0, new Uint8Array(0), STATUS_NS / 1000);
    this.complete(this.request.received);
  }
  complete(received) {
    const r = this.request;
    this.timeoutAlarm.cancel();
    if (r) this.trace?.packet(USB_CONTROL, 0, received ?? NOTHING, [...r.setup, ...r.data ?? []], r.from, received ? 0 : REFUSED);
    this.request = null;
    this.resting = true;
    this.gapAlarm.schedule(REQUEST_GAP_NS);
    r?.then?.(received);
  }
  send(type, request, value, index, length, then, data = null) {
    this.requests.push({ type, request, value, index, length, data, received: [], then, stage: 'setup' });
    this.next();
  }

  enumerate() {
    const ask = (type, request, value, length, then) => {
      this.send(type, request, value, 0, length, (received) => {
        if (received && received.length >= length) then(received); else this.tryAgain();
      });
    };
    ask(0x00, SET_ADDRESS, 1, 0, () =>
      ask(0x80, GET_DESCRIPTOR, TYPE_DEVICE << 8, 18, () =>
        ask(0x80, GET_DESCRIPTOR, TYPE_CONFIGURATION << 8, 9, (head) =>
          ask(0x80, GET_DESCRIPTOR, TYPE_CONFIGURATION << 8, head[2] | (head[3] << 8), (all) =>
            ask(0x00, SET_CONFIGURATION, all[5], 0, () => this.configured(parseFunctions(all), bootEndpoints(all)))))));
  }
  tryAgain() {
    this.abandon();
    if (++this.tries < ENUMERATION_TRIES) this.resetBus();
  }
  configured(functions, boot) {
    this.functions = functions;
    if (boot) {
      this.pipe = new BootPipe(this, boot, (bytes) => {
        this.traceIn(BOOT_ROM, bytes);
        this.onPacket?.(bytes);
      });
    }
    functions.forEach((f, i) => {
      f.armed = 0; f.out = []; f.open = false; f.reading = true;
      this.setWanted(i, this.wanted[i] ?? { open: false, reading: true });
    });
    const early = this.armedEarly ?? [];
    this.armedEarly = null;
    for (const [endpoint, size] of early) this.armedOut(endpoint, size);
  }
  closePipe() {
    this.pipe?.close();
    this.pipe = null;
  }
  secondBuffer(endpoint, out, is) {
    const bit = 1 << (endpoint * 2 + (out ? 1 : 0));
    this.second = is ? this.second | bit : this.second & ~bit;
  }

  // ---- serial functions --------------------------------------------------------------------------------------
  setWanted(index, wanted) {
    this.wanted[index] = wanted;
    const f = this.functions[index];
    if (!f) return;
    f.reading = wanted.reading;
    if (f.open !== wanted.open) {
      f.open = wanted.open;
      if (f.open) {
        this.send(0x21, CDC_SET_LINE_CODING, 0, f.control, 7, null, [0x00, 0xc2, 0x01, 0x00, 0, 0, 8]);   // 115200 8N1
      } else {
        f.out.length = 0;
      }
      this.send(0x21, CDC_SET_CONTROL_LINE_STATE, f.open ? 3 : 0, f.control, 0, null);
    }
    this.moveIn();
  }
  write(index, bytes) {
    const f = this.functions[index];
    if (!f) return;
    for (const b of bytes) f.out.push(b);
    this.moveOut(f);
  }
  armedOut(endpoint, size) {
    if (endpoint === 0) { this.armedControl(); return; }
    this.pipe?.armedEarly(endpoint);
    const f = this.functions.find((g) => g.outEndpoint === endpoint);
    if (!f) { if (!this.pipe) (this.armedEarly ??= []).push([endpoint, size]); return; }
    f.armed = size;
    this.moveOut(f);
  }
  moveOut(f) {
    if (!f.armed || !f.out.length) return;         // nothing to send: the transfer stays pending, as a NAK would
    const bytes = Uint8Array.from(f.out.splice(0, f.armed));
    f.armed = 0;
    this.traceOut(this.functions.indexOf(f), bytes, 0);
    this.usb.endpointReadDone(f.outEndpoint, bytes, OUT_PACKET_NS / 1000);
  }

  // Takes over every IN endpoint but the control one: returns true when it has handled the write.
  takeIn(offset, value) {
    if (offset < EP0_IN_BUFFER + 8 || offset > EP15_OUT_BUFFER || offset & 4) return false;
    const endpoint = (offset - EP0_IN_BUFFER) >> 3, control = this.usb.readEndpointControlReg(endpoint, false);
    const at = this.usb.getEndpointBufferOffset(endpoint, false), ram = this.rp2040.usbDPRAM;
    const double = !!(control & EP_DOUBLE), both = double && !!((value >>> 16) & BUF_AVAILABLE);
    // TinyUSB writes a pair twice, at first without the first buffer's bit (datasheet section 4.1.2.5.1): not yet ready.
    if (!(value & BUF_AVAILABLE)) {
      // Neither bit: the device takes back what it had ready, as when an endpoint is opened anew after a bus reset.
      if (!((value >>> 16) & BUF_AVAILABLE)) this.inQueue = this.inQueue.filter((p) => p.endpoint !== endpoint);
      return true;
    }
    const ready = [[at, value & BUF_LENGTH, 0]];
    if (both) ready.push([at + BUF1_OFFSET, (value >>> 16) & BUF_LENGTH, 16]);
    ready.forEach(([from, length, shift], i) => {
      this.inQueue.push({ endpoint, offset, shift, bytes: ram.slice(from, from + length),
        interrupt: !both || i === 1 || !!(control & EP_INT_1BUF) });
    });
    this.moveIn();
    return true;
  }
  traceIn(index, bytes) {
    const { trace } = this;
    if (trace) trace.packet(USB, index, bytes, NOTHING, trace.now() - this.packetNs);
  }
  // `ago` ns before now it began, and it takes OUT_PACKET_NS.
  traceOut(index, bytes, ago) {
    const { trace } = this;
    if (!trace) return;
    const from = trace.now() - ago;
    trace.packet(USB, index, NOTHING, bytes, from, 0, from + OUT_PACKET_NS);
  }
  // One packet at a time crosses the bus; a function nobody reads keeps its packets and holds up no other.
  moveIn() {
    if (this.inFlight) return;
    const i = this.inQueue.findIndex((p) => {
      const f = this.functions.find((g) => g.inEndpoint === p.endpoint);
      return f && f.open && f.reading;
    });
    if (i < 0) return;
    this.inFlight = this.inQueue.splice(i, 1)[0];
    this.busAlarm.schedule(this.packetNs);
  }
  busDone() {
    const p = this.inFlight, view = this.rp2040.usbDPRAMView;
    this.inFlight = false;
    this.packets++;
    view.setUint32(p.offset, view.getUint32(p.offset, true) & ~((BUF_AVAILABLE | BUF_FULL) << p.shift), true);
    if (p.interrupt) this.usb.indicateBufferReady(p.endpoint, false);
    const index = this.functions.findIndex((g) => g.inEndpoint === p.endpoint);
    if (index >= 0) {
      this.traceIn(index, p.bytes);
      this.onData?.(index, p.bytes);
    }
    this.moveIn();
  }
}

// Serial functions of a configuration descriptor: {control: interface number, inEndpoint, outEndpoint}, in order.
export function parseFunctions(descriptor) {
  const functions = [];
  let current = null, inData = false;
  for (let i = 0; i + 1 < descriptor.length && descriptor[i] >= 2; i += descriptor[i]) {
    const type = descriptor[i + 1];
    if (type === TYPE_INTERFACE) {
      const kind = descriptor[i + 5], subclass = descriptor[i + 6];
      inData = kind === CLASS_CDC_DATA;
      if (kind === CLASS_CDC && subclass === SUBCLASS_ACM) {
        functions.push(current = { control: descriptor[i + 2], inEndpoint: -1, outEndpoint: -1 });
      } else if (!inData) {
        current = null;
      }
    } else if (type === TYPE_ENDPOINT && inData && current) {
      const address = descriptor[i + 2];
      if (address & 0x80) current.inEndpoint = address & 15; else current.outEndpoint = address & 15;
    }
  }
  return functions.filter((f) => f.inEndpoint > 0 && f.outEndpoint > 0);
}
