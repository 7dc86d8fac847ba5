// rp2040js's own core, one instruction at a time: a second opinion on fast_core.mjs, several times slower.

export class LibraryCore {
  attach(rp2040, clock) {
    const { core, logger } = rp2040;
    this.core = core;
    this.clock = clock;
    // rp2040js only logs SEV; it has to set the event register, or the next WFE sleeps where silicon does not.
    logger.info = (_, message) => { if (message === 'SEV') core.eventRegistered = true; };
  }
  renew() { return true; }
  run() { this.clock.charge(this.core.executeInstruction()); }
}
