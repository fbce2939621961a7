// @ts-check
// Sending: a message is on the screen at once and says how far it came.
//
//   sending ──▶ (accepted: it moves into the log) ──▶ delivered
//      ├──▶ queued   the client keeps it and sends it when it can
//      └──▶ failed   nothing is kept; "try again" sends it with the same id, so it cannot be there twice

import { RpcFailure, sentence } from "../rpc.js";
import { readChatsSoon } from "./chats.js";
import { me } from "./person.js";
import { timelines } from "./timelines.js";
import { call } from "./wire.js";

/** @typedef {import("./timelines.js").Timeline} Timeline */

/** Longest text, in bytes of UTF-8. */
export const LONGEST = 64 * 1024;

const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

/** An id as the API writes it: 16 random bytes in base32, 26 characters. It makes a repeat harmless. */
export function newId() {
  let bits = [...crypto.getRandomValues(new Uint8Array(16))].reduce((number, byte) => (number << 8n) | BigInt(byte), 0n) << 2n;
  let id = "";
  for (let place = 0; place < 26; place += 1) {
    id = BASE32[Number(bits & 31n)] + id;
    bits >>= 5n;
  }
  return id;
}

/**
 * @param {Timeline} timeline
 * @param {string} text
 */
export function say(timeline, text) {
  const id = newId();
  const now = Date.now();
  timeline.waiting = [
    ...timeline.waiting,
    {
      id,
      chat: timeline.target,
      conversation: "",
      from: me.value?.name ?? "",
      own: true,
      text,
      sent_at: now,
      received_at: 0,
      via: "server",
      verified: true,
      unread: false,
      pending: true,
      delivered: false,
    },
  ];
  timeline.unreadFrom = null;
  void timeline.latest();
  return send(timeline, id, text);
}

/**
 * @param {Timeline} timeline
 * @param {string} id
 * @param {string} text
 */
export async function send(timeline, id, text) {
  timeline.sending.set(id, { state: "sending", message: "", lost: false });
  timeline.changed();
  try {
    const sent = await call("send", { to: timeline.target, text, id, wait: "accepted" });
    if (sent.state === "queued") timeline.sending.set(id, { state: "queued", message: "", lost: false });
    else settle(timeline, id, sent.state === "delivered");
    readChatsSoon();
  } catch (error) {
    const kept = error instanceof RpcFailure && error.kept;
    const lost = error instanceof RpcFailure && error.kind === "connection_lost";
    // It may have been accepted before the answer was lost.
    if (timeline.waiting.some((row) => row.id === id)) {
      timeline.sending.set(id, { state: kept ? "queued" : "failed", message: sentence(error), lost });
    }
  }
  timeline.changed();
}

/**
 * The answer may come before the event, or instead of it where the chat was not there before.
 * @param {Timeline} timeline
 * @param {string} id
 * @param {boolean} delivered
 */
function settle(timeline, id, delivered) {
  const row = timeline.waiting.find((other) => other.id === id);
  if (row) timeline.take([{ ...row, pending: false, delivered, received_at: Date.now() }]);
  else if (delivered) timeline.delivered(id);
}

/**
 * @param {Timeline} timeline
 * @param {string} id
 */
export function retry(timeline, id) {
  const row = timeline.waiting.find((other) => other.id === id);
  if (row) void send(timeline, id, row.text);
}

/**
 * Takes a message that failed off the screen; it was not sent.
 * @param {Timeline} timeline
 * @param {string} id
 */
export function discard(timeline, id) {
  timeline.sending.delete(id);
  timeline.waiting = timeline.waiting.filter((row) => row.id !== id);
  timeline.changed();
}

/** After a reconnection: what was asked when the connection broke is asked again, with the same ids. */
export function sendLost() {
  for (const timeline of timelines()) {
    for (const [id, sending] of timeline.sending) if (sending.lost) retry(timeline, id);
  }
}
