// Offers a reply to a socket that uWS may not be watching, time and again.

/** A client that reads is kept waiting no longer than by a slow network. */
const OFFER_MS = 20;
/** A client that takes nothing of what it is offered for so long is cut. */
const STALLED_MS = 30_000;

export class UwsOffers {
  #timer: NodeJS.Timeout | null = null;
  /** Since the socket took something. */
  #vain = 0;

  start(offer: () => void): void {
    this.#timer ??= setInterval(offer, OFFER_MS);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#vain = 0;
  }

  /** False: too many were in vain. */
  made(wasTaken: boolean): boolean {
    this.#vain = wasTaken ? 0 : this.#vain + 1;
    return this.#vain * OFFER_MS <= STALLED_MS;
  }
}
