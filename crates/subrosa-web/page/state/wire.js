// @ts-check
// The one connection of the page, for all state. Whoever wants something of the client calls `call`.

import { Rpc } from "../rpc.js";
import { Cell } from "./cell.js";

/** @typedef {import("../api.js").Methods} Methods */

/** How the connection to the user's own client stands. */
export const link = new Cell(/** @type {import("../rpc.js").Link} */ ({ state: "connecting", tries: 0, again: 0 }));

/** @type {Rpc | null} */
let rpc = null;

/**
 * @param {string} token
 * @param {{onOpen: () => void, onNotices: (notices: {method: string, params: any}[]) => void, lost: () => string}} face
 */
export function connect(token, face) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  rpc = new Rpc(`${scheme}//${location.host}/rpc`, token, { ...face, onLink: (now) => link.set(now) });
  rpc.connect();
}

/** Tries the connection again at once, if it is waiting. */
export function hurry() {
  rpc?.hurry();
}

/** Ends the connection for good. */
export function disconnect() {
  rpc?.end();
}

/**
 * @template {keyof Methods} M
 * @param {M} method
 * @param {Methods[M]["params"]} params
 * @returns {Promise<Methods[M]["result"]>}
 */
export function call(method, params) {
  if (!rpc) throw new Error("the connection is not made yet");
  return rpc.call(method, params);
}
