// @ts-check
// The loaded part of each opened chat: an unbroken run of messages, and behind it what is not accepted yet.
//
// Invariants: `rows` is in the order of the log and has no gap; `newer` says whether it ends before the log does, and
// then nothing is appended to it. A message has one place: one that is accepted moves from `waiting` to the end of
// `rows`.

import { sentence } from "../rpc.js";
import { Cell } from "./cell.js";
import { call } from "./wire.js";
import { chatOf, chats, gather, moveKept, noteRead, onRenamed, readChatsSoon, targetOf } from "./chats.js";

/** @typedef {import("../api.js").MessageRow} MessageRow */
/** @typedef {{id: string, notice: "joined" | "left" | "device" | "renamed", name: string, more: string, at: number}} Notice */
/** @typedef {{state: "sending" | "queued" | "failed", message: string, lost: boolean}} Sending */

const FIRST = 60;
const PAGE = 120;
const MOST = 3000;
const KEPT_OPEN = 6;

/**
 * What a row is known by in its chat. Senders choose the ids of their messages, so an id means nothing without its sender.
 * @param {MessageRow | Notice} row
 */
export function keyOf(row) {
  return "notice" in row || row.own ? row.id : `${row.id} ${row.from}`;
}

/**
 * @param {MessageRow} row
 * @returns {(other: MessageRow | Notice) => boolean}
 */
function same(row) {
  return (other) => other.id === row.id && keyOf(other) === keyOf(row);
}

export class Timeline {
  /** @param {string} target */
  constructor(target) {
    this.target = target;
    /** @type {(MessageRow | Notice)[]} */
    this.rows = [];
    /** @type {MessageRow[]} */
    this.waiting = [];
    /** @type {Map<string, Sending>} */
    this.sending = new Map();
    this.older = false;
    this.newer = false;
    this.opened = false;
    /** @type {"" | "first" | "older" | "newer"} */
    this.loading = "";
    this.failure = "";
    /**
     * Key of the first message that was unread when the chat was opened.
     * @type {string | null}
     */
    this.unreadFrom = null;
    /** New messages that were not on the screen yet. */
    this.below = 0;
    /**
     * Where the view should go next.
     * @type {{to: "end" | "unread" | "message", key: string} | null}
     */
    this.jump = null;
    /**
     * A message to open the chat at, instead of its end.
     * @type {MessageRow | null}
     */
    this.sought = null;
    /** Key of a message to set off, because it was searched for. */
    this.marked = "";
    /** Counts changes: what views watch. */
    this.version = new Cell(0);
    /**
     * Ids of what was seen, by their keys.
     * @type {Map<string, string>}
     */
    this.read = new Map();
    this.readTimer = 0;
  }

  changed() {
    this.version.update((version) => version + 1);
  }

  /** Shows the chat from its first unread message on, or its end. */
  async open() {
    const { sought } = this;
    this.sought = null;
    if (sought) {
      await this.around(sought);
      return;
    }
    const chat = chatOf(this.target);
    if (!chat) {
      this.opened = true;
      this.changed();
      return;
    }
    if (this.opened && !this.newer && this.loading === "") {
      this.markUnread();
      this.jump = this.unreadFrom ? { to: "unread", key: "" } : { to: "end", key: "" };
      this.changed();
      return;
    }
    await this.load(chat.unread > 0 ? "unread" : "latest", () => {
      this.markUnread();
      this.jump = this.unreadFrom ? { to: "unread", key: "" } : { to: "end", key: "" };
    });
  }

  async latest() {
    this.below = 0;
    if (this.newer) {
      await this.load("latest", () => {
        this.jump = { to: "end", key: "" };
      });
    } else {
      this.jump = { to: "end", key: "" };
      this.changed();
    }
  }

  /** @param {MessageRow} row */
  async around(row) {
    const key = keyOf(row);
    this.marked = key;
    if (this.rows.some(same(row))) {
      this.jump = { to: "message", key };
      this.changed();
      return;
    }
    await this.load({ around: row.id }, () => {
      this.jump = { to: "message", key };
    });
  }

  /** Reads again what may have changed while nothing was told. */
  async again() {
    if (!this.opened || !chatOf(this.target)) return;
    if (this.newer) return;
    if (this.below > 0) {
      // The reader is further up: what is loaded stays, and ends before the log does.
      this.newer = true;
      this.changed();
    } else await this.load("latest", () => undefined);
  }

  /**
   * @private
   * @param {import("../api.js").Place} place
   * @param {() => void} then
   */
  async load(place, then) {
    this.loading = "first";
    this.failure = "";
    this.changed();
    try {
      const page = await call("history", { chat: this.target, place, limit: FIRST });
      this.rows = page.rows.filter((row) => !row.pending);
      const pending = page.rows.filter((row) => row.pending);
      const local = this.waiting.filter(
        (row) => this.sending.has(row.id) && !page.rows.some(same(row)),
      );
      this.waiting = [...pending, ...local];
      this.older = page.older;
      this.newer = page.newer;
      this.opened = true;
      then();
    } catch (error) {
      this.failure = sentence(error);
    }
    this.loading = "";
    this.changed();
  }

  /** @param {"older" | "newer"} way */
  async more(way) {
    if (this.loading !== "" || !this[way]) return;
    const known = this.rows.filter((row) => !("notice" in row));
    // Where so much waits that nothing else was loaded, the log is before what waits.
    const edge = way === "older" ? (known[0] ?? this.waiting[0]) : known[known.length - 1];
    if (!edge) return;
    this.loading = way;
    try {
      const place = way === "older" ? { before: edge.id } : { after: edge.id };
      const page = await call("history", { chat: this.target, place, limit: PAGE });
      const fresh = page.rows.filter((row) => !this.rows.some(same(row)) && !this.waiting.some(same(row)));
      const rows = fresh.filter((row) => !row.pending);
      if (way === "older") this.waiting = [...fresh.filter((row) => row.pending), ...this.waiting];
      this.rows = way === "older" ? [...rows, ...this.rows] : [...this.rows, ...rows];
      this[way] = page[way];
      this.trim(way === "older" ? "newer" : "older");
    } catch (error) {
      this.failure = sentence(error);
    }
    this.loading = "";
    this.changed();
  }

  /**
   * Lets go of what is far from the reader.
   * @param {"older" | "newer"} end
   */
  trim(end) {
    if (this.rows.length <= MOST) return;
    this[end] = true;
    this.rows = end === "older" ? this.rows.slice(MOST / 2) : this.rows.slice(0, MOST / 2);
  }

  /**
   * What came, in the order in which it came.
   * @param {MessageRow[]} batch
   */
  take(batch) {
    /** @type {(MessageRow | Notice)[]} */
    const added = [];
    for (const row of batch) {
      const waits = this.waiting.findIndex(same(row));
      if (row.pending) {
        if (waits >= 0) this.waiting = this.waiting.map((other, index) => (index === waits ? row : other));
        else if (this.place(row) < 0) this.waiting = [...this.waiting, row];
        continue;
      }
      if (row.own) this.sending.delete(row.id);
      if (waits >= 0) this.waiting = this.waiting.filter((_, index) => index !== waits);
      const place = this.place(row);
      if (place >= 0) this.replace(place, row);
      else if (!this.newer && this.opened && !added.some(same(row))) added.push(row);
    }
    if (added.length > 0) {
      this.rows = [...this.rows, ...added];
      if (!this.unreadFrom && !document.hasFocus()) this.markUnread();
      if (this.below === 0) this.trim("older");
    }
    this.changed();
  }

  /** @param {Notice} notice */
  tell(notice) {
    if (this.newer || !this.opened) return;
    this.rows = [...this.rows, notice];
    this.changed();
  }

  /**
   * Only own messages are told of.
   * @param {string} id
   */
  delivered(id) {
    const row = this.rows.find((other) => other.id === id && !("notice" in other) && other.own);
    if (row && !("notice" in row)) this.replace(this.place(row), { ...row, delivered: true });
    this.changed();
  }

  /**
   * From the end, because that is where most is asked for.
   * @private
   * @param {MessageRow} row
   */
  place(row) {
    const here = same(row);
    for (let index = this.rows.length - 1; index >= 0; index -= 1) if (here(this.rows[index])) return index;
    return -1;
  }

  /**
   * @private
   * @param {number} place
   * @param {MessageRow} row
   */
  replace(place, row) {
    this.rows = this.rows.map((other, index) => (index === place ? row : other));
  }

  /** @private */
  markUnread() {
    const first = this.rows.find((row) => !("notice" in row) && row.unread && !row.own);
    this.unreadFrom = first ? keyOf(first) : null;
  }

  /**
   * These were on the screen in front of the reader.
   * @param {MessageRow[]} rows
   */
  seen(rows) {
    const fresh = rows.filter((row) => row.unread && !row.own && !this.read.has(keyOf(row)));
    if (fresh.length === 0) return;
    const seen = new Map(fresh.map((row) => [keyOf(row), row.id]));
    for (const [key, id] of seen) this.read.set(key, id);
    noteRead(this.target, fresh.length);
    this.rows = this.rows.map((row) => (!("notice" in row) && seen.has(keyOf(row)) ? { ...row, unread: false } : row));
    if (!this.readTimer) {
      this.readTimer = window.setTimeout(() => this.markRead(), 250);
    }
    this.changed();
  }

  /** Tells the client what was seen. */
  markRead() {
    clearTimeout(this.readTimer);
    this.readTimer = 0;
    if (this.read.size === 0) return;
    const messages = [...new Set(this.read.values())];
    this.read.clear();
    // If it is not stored, they come as unread again: that is the truth then.
    call("mark_read", { messages }).then(readChatsSoon, readChatsSoon);
  }
}

/** @type {Map<string, Timeline>} */
const open = new Map();

addEventListener("pagehide", () => {
  for (const timeline of open.values()) timeline.markRead();
});

/** @param {string} target */
export function timelineOf(target) {
  const found = open.get(target);
  const timeline = found ?? new Timeline(target);
  open.delete(target);
  open.set(target, timeline);
  for (const [name, other] of open) {
    if (open.size <= KEPT_OPEN) break;
    if (other.sending.size === 0) open.delete(name);
  }
  return timeline;
}

/** @param {MessageRow[]} rows */
export function takeMessages(rows) {
  for (const [target, batch] of gather(rows)) open.get(target)?.take(batch);
}

/**
 * @param {string} conversation
 * @param {string} chat
 * @param {string} id
 */
export function takeDelivered(conversation, chat, id) {
  open.get(targetOf(conversation, chat))?.delivered(id);
}

/**
 * @param {string} target
 * @param {Notice} notice
 */
export function takeNotice(target, notice) {
  open.get(target)?.tell(notice);
}

onRenamed((renamed) => {
  moveKept(open, renamed);
  for (const now of renamed.values()) {
    const timeline = open.get(now);
    if (timeline) timeline.target = now;
  }
});

/** After something was missed: reads all opened chats again. */
export async function readTimelines() {
  for (const [target, timeline] of open) {
    if (chats.value.some((chat) => chat.chat === target)) await timeline.again();
  }
}

/** All opened chats, for sending again. */
export function timelines() {
  return [...open.values()];
}
