// @ts-check
// The chats, open invitations and changed keys, as the client last said, kept up with what happens.
//
// A chat is called by its target: `@name` or `#title`, and `#title~xxxx` where two groups have one title.

import { Cell } from "./cell.js";
import { call } from "./wire.js";

/** @typedef {import("../api.js").ChatRow} ChatRow */
/** @typedef {import("../api.js").MessageRow} MessageRow */

export const chats = new Cell(/** @type {ChatRow[]} */ ([]));
export const invites = new Cell(/** @type {import("../api.js").InviteRow[]} */ ([]));
export const changedKeys = new Cell(/** @type {import("../api.js").ChangedKeyRow[]} */ ([]));
/** Chats whose direct link is up. */
export const direct = new Cell(/** @type {Set<string>} */ (new Set()));

const SHORT_ID = 4;
const PREVIEW = 200;

/** @typedef {(renamed: Map<string, string>) => void} RenameTaker what chats were called before, and what now */

/** @type {RenameTaker[]} */
const renameTakers = [];

/** @param {RenameTaker} taker */
export function onRenamed(taker) {
  renameTakers.push(taker);
}

/**
 * What is kept by a chat's name goes with the chat; what another one left under that name does not stay.
 * @template V
 * @param {Map<string, V>} kept
 * @param {Map<string, string>} renamed
 */
export function moveKept(kept, renamed) {
  const moved = [...renamed].map(([before, now]) => ({ before, now, value: kept.get(before) }));
  for (const { before, now } of moved) {
    kept.delete(before);
    kept.delete(now);
  }
  for (const { now, value } of moved) if (value !== undefined) kept.set(now, value);
}

/** @param {ChatRow[]} rows */
export function setChats(rows) {
  const called = new Map(chats.value.map((row) => [row.conversation, row.chat]));
  const seen = new Map();
  for (const row of rows) seen.set(row.chat, (seen.get(row.chat) ?? 0) + 1);
  chats.set(
    rows.map((row) =>
      row.kind === "group" && seen.get(row.chat) > 1
        ? { ...row, chat: `${row.chat}~${row.conversation.slice(0, SHORT_ID)}` }
        : row,
    ),
  );
  /** @type {Map<string, string>} */
  const renamed = new Map();
  for (const { conversation, chat } of chats.value) {
    const before = called.get(conversation);
    if (before !== undefined && before !== chat) renamed.set(before, chat);
  }
  if (renamed.size > 0) for (const taker of renameTakers) taker(renamed);
}

/**
 * A group has another title now.
 * @param {string} before
 * @param {string} now
 */
export function renameChat(before, now) {
  setChats(chats.value.map((row) => (row.chat === before ? { ...row, chat: now } : row)));
}

/** @param {string} target */
export function chatOf(target) {
  return chats.value.find((row) => row.chat === target) ?? null;
}

/**
 * What a conversation is called here.
 * @param {string} conversation
 * @param {string} chat as the message says
 */
export function targetOf(conversation, chat) {
  return chats.value.find((row) => row.conversation === conversation)?.chat ?? chat;
}

export async function readChats() {
  setChats(await call("chats", {}));
}

export async function readInvites() {
  invites.set(await call("invites", {}));
}

export async function readChangedKeys() {
  changedKeys.set(await call("changed_keys", {}));
}

let timer = 0;

/** Reads the chats again soon, and at most twice a second however much happens. */
export function readChatsSoon() {
  if (timer) return;
  timer = window.setTimeout(() => {
    timer = 0;
    // Without a connection it is read when there is one again.
    readChats().catch(() => undefined);
  }, 500);
}

/**
 * The rows of each chat.
 * @param {MessageRow[]} rows
 * @returns {Map<string, MessageRow[]>}
 */
export function gather(rows) {
  /** @type {Map<string, MessageRow[]>} */
  const byTarget = new Map();
  for (const row of rows) {
    const target = targetOf(row.conversation, row.chat);
    const here = byTarget.get(target);
    if (here) here.push(row);
    else byTarget.set(target, [row]);
  }
  return byTarget;
}

/**
 * What names somebody: the whole name, however it is written.
 * @param {string} me
 */
export function mentionOf(me) {
  return new RegExp(`(^|[^\\p{L}\\p{N}_.-])@${me.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(?![\\p{L}\\p{N}_-])`, "iu");
}

/**
 * Shows in the list at once what came; the client's own count follows.
 * @param {MessageRow[]} rows
 * @param {string} me
 */
export function noteMessages(rows, me) {
  const byTarget = gather(rows);
  const mention = mentionOf(me);
  chats.update((before) =>
    before.map((chat) => {
      const here = byTarget.get(chat.chat);
      if (!here) return chat;
      const last = here[here.length - 1];
      const unread = here.filter((row) => row.unread && !row.own);
      return {
        ...chat,
        unread: chat.unread + unread.length,
        mentions: chat.mentions + unread.filter((row) => mention.test(row.text)).length,
        last: Math.max(chat.last ?? 0, last.received_at || last.sent_at),
        preview: { from: last.from, own: last.own, text: [...last.text.slice(0, 2 * PREVIEW)].slice(0, PREVIEW).join("") },
      };
    }),
  );
  readChatsSoon();
}

/**
 * @param {string} target
 * @param {number} count
 */
export function noteRead(target, count) {
  chats.update((before) =>
    before.map((chat) => (chat.chat === target ? { ...chat, unread: Math.max(0, chat.unread - count) } : chat)),
  );
}

/**
 * @param {string} chat
 * @param {boolean} up
 */
export function noteDirect(chat, up) {
  direct.update((before) => {
    const now = new Set(before);
    if (up) now.add(chat);
    else now.delete(chat);
    return now;
  });
}

/**
 * @param {string} target
 * @param {string} draft
 */
export function noteDraft(target, draft) {
  chats.update((before) => before.map((chat) => (chat.chat === target ? { ...chat, draft } : chat)));
}
