// @ts-check
// The connection to the user's own client: JSON-RPC 2.0 over a WebSocket, one object a message.
//
// It is made again by itself with growing pauses. What was asked when it broke is answered with a failure of kind
// `connection_lost`: nobody knows whether it was done, so only what is harmless to repeat is repeated (by its asker).
// Notifications are handed over in batches, at most one a drawn frame.

/** @typedef {import("./api.js").Methods} Methods */

/** A refusal or failure: the sentence for people is `message`. */
export class RpcFailure extends Error {
  /**
   * @param {string} message
   * @param {{code?: string, kind?: string, kept?: boolean}} [data]
   */
  constructor(message, data) {
    super(message);
    this.code = data?.code ?? "unexpected";
    this.kind = data?.kind ?? "unexpected";
    this.kept = data?.kept === true;
  }
}

/**
 * The sentence for people in whatever was thrown.
 * @param {unknown} error
 */
export function sentence(error) {
  return error instanceof Error ? error.message : String(error);
}

/** @typedef {{ state: "connecting" | "open" | "waiting", tries: number, again: number }} Link */

const PAUSES = [300, 700, 1500, 3000, 6000, 12000];
// A hidden page draws no frames; what comes is handed over all the same.
const HIDDEN_PAUSE = 250;

export class Rpc {
  /**
   * @param {string} address
   * @param {string} token
   * @param {{
   *   onOpen: () => void,
   *   onLink: (link: Link) => void,
   *   onNotices: (notices: {method: string, params: any}[]) => void,
   *   lost: () => string,
   * }} face
   */
  constructor(address, token, face) {
    this.address = address;
    this.token = token;
    this.face = face;
    this.next = 1;
    this.tries = 0;
    /** @type {Map<number, {resolve: (value: any) => void, reject: (error: Error) => void}>} */
    this.open = new Map();
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {{method: string, params: any}[]} */
    this.notices = [];
    this.frame = 0;
    this.handing = 0;
    this.timer = 0;
  }

  connect() {
    clearTimeout(this.timer);
    this.face.onLink({ state: "connecting", tries: this.tries, again: 0 });
    const socket = new WebSocket(this.address, ["subrosa.v1", `token.${this.token}`]);
    this.socket = socket;
    socket.onopen = () => {
      this.tries = 0;
      this.face.onLink({ state: "open", tries: 0, again: 0 });
      this.face.onOpen();
    };
    socket.onmessage = (message) => this.take(message.data);
    socket.onclose = () => {
      if (this.socket === socket) this.lost();
    };
  }

  /** Tries again at once. */
  hurry() {
    if (this.socket === null) this.connect();
  }

  /** Ends it for good: nothing is sent, heard or answered any more. */
  end() {
    const { socket } = this;
    this.socket = null;
    this.notices = [];
    this.open.clear();
    clearTimeout(this.timer);
    if (!socket) return;
    socket.onopen = null;
    socket.onmessage = null;
    socket.close();
  }

  /** @private */
  lost() {
    this.socket = null;
    const failure = new RpcFailure(this.face.lost(), { code: "environment", kind: "connection_lost" });
    const open = [...this.open.values()];
    this.open.clear();
    for (const { reject } of open) reject(failure);
    const pause = PAUSES[Math.min(this.tries, PAUSES.length - 1)] * (0.8 + 0.4 * Math.random());
    this.tries += 1;
    this.face.onLink({ state: "waiting", tries: this.tries, again: Date.now() + pause });
    this.timer = window.setTimeout(() => this.connect(), pause);
    // What was told before belongs to this connection: the next one numbers its rooms anew.
    this.hand();
  }

  /**
   * Asks, and waits for the answer.
   * @template {keyof Methods} M
   * @param {M} method
   * @param {Methods[M]["params"]} params
   * @returns {Promise<Methods[M]["result"]>}
   */
  call(method, params) {
    const { socket } = this;
    if (!socket || socket.readyState !== WebSocket.OPEN) {
      return Promise.reject(new RpcFailure(this.face.lost(), { code: "environment", kind: "connection_lost" }));
    }
    const id = this.next;
    this.next += 1;
    return new Promise((resolve, reject) => {
      this.open.set(id, { resolve, reject });
      socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    });
  }

  /**
   * @private
   * @param {string} text
   */
  take(text) {
    const object = JSON.parse(text);
    if (object.method !== undefined) {
      this.notices.push({ method: object.method, params: object.params });
      this.plan();
      return;
    }
    const waiting = this.open.get(object.id);
    if (!waiting) return;
    this.open.delete(object.id);
    if (object.error) waiting.reject(new RpcFailure(object.error.message, object.error.data));
    else waiting.resolve(object.result);
  }

  /** @private */
  plan() {
    if (this.handing) return;
    // Whichever comes first: a page that is hidden meanwhile draws no frame.
    this.frame = requestAnimationFrame(() => this.hand());
    this.handing = window.setTimeout(() => this.hand(), HIDDEN_PAUSE);
  }

  /** @private */
  hand() {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.handing);
    this.handing = 0;
    const { notices } = this;
    this.notices = [];
    if (notices.length > 0) this.face.onNotices(notices);
  }
}
