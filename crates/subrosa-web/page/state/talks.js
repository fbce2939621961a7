// @ts-check
// Rooms and direct links: talks of this connection only. Nothing of them is kept; they end with the connection.

import { sentence } from "../rpc.js";
import { Cell } from "./cell.js";
import { call } from "./wire.js";

/**
 * @typedef {{id: string, own: boolean, from: string, text: string, at: number, state: "sending" | "sent" | "delivered" | "failed", why: string}} Said
 * @typedef {{id: string, told: import("../strings/index.js").Key | "", name: string, text: string, at: number}} Told
 * @typedef {{number: number, direction: "sending" | "receiving", name: string, size: number, done: number, state: "offered" | "going" | "ended", outcome: string, path: string}} FileOf
 */

export class Talk {
  /**
   * @param {"room" | "link"} kind
   * @param {number} number
   * @param {string} title
   */
  constructor(kind, number, title) {
    this.kind = kind;
    this.number = number;
    this.id = `${kind}-${number}`;
    this.title = title;
    this.me = "";
    this.server = "";
    /** @type {string[]} */
    this.names = [];
    /** @type {(Said | Told)[]} */
    this.rows = [];
    /** @type {Map<number, FileOf>} */
    this.files = new Map();
    this.unread = 0;
    this.ended = "";
    /** Why it is not connected at the moment, for people. */
    this.waiting = "";
    this.ticket = "";
    this.joined = false;
    /**
     * What both sides compare.
     * @type {{words: string, digits: string, guests: number} | null}
     */
    this.proof = null;
    this.vouched = false;
    this.encryption = "";
    this.via = "";
    this.version = new Cell(0);
    this.count = 0;
  }

  changed() {
    this.version.update((version) => version + 1);
    talks.update((before) => [...before]);
  }

  /**
   * @param {import("../strings/index.js").Key | ""} told
   * @param {{name?: string, text?: string, at?: unknown}} [more]
   */
  tell(told, more = {}) {
    this.count += 1;
    this.rows = [
      ...this.rows,
      { id: `t${this.count}`, told, name: more.name ?? "", text: more.text ?? "", at: time(more.at) },
    ];
  }

  /** @param {string} text */
  async say(text) {
    this.count += 1;
    const id = `s${this.count}`;
    /** @type {Said} */
    const said = { id, own: true, from: this.me, text, at: Date.now(), state: "sending", why: "" };
    this.rows = [...this.rows, said];
    this.changed();
    try {
      const { number } =
        this.kind === "room"
          ? await call("room_say", { room: this.number, text })
          : await call("direct_say", { direct: this.number, text });
      this.rename(id, `own-${number}`);
    } catch (error) {
      this.set(id, { state: "failed", why: sentence(error) });
    }
    this.changed();
  }

  /**
   * The answer gives the number by which events call it; they may have come before. @private
   * @param {string} id
   * @param {string} name
   */
  rename(id, name) {
    const early = this.early.get(name);
    this.early.delete(name);
    this.set(id, { id: name, ...early });
  }

  /**
   * Events about own texts whose number was not known yet.
   * @type {Map<string, Partial<Said>>}
   */
  early = new Map();

  /**
   * @param {string} id
   * @param {Partial<Said>} change
   */
  set(id, change) {
    if (!this.rows.some((row) => row.id === id)) {
      this.early.set(id, { ...this.early.get(id), ...change });
      return;
    }
    this.rows = this.rows.map((row) => (row.id === id ? /** @type {Said} */ ({ ...row, ...change }) : row));
  }

  /** @param {any} event */
  take(event) {
    switch (event.event) {
      case "ticket":
        this.ticket = String(event.ticket);
        break;
      case "entered":
        this.joined = true;
        this.waiting = "";
        this.me = event.name;
        this.names = [event.name, ...event.others].sort();
        this.tell("talk_entered", { name: this.title });
        break;
      case "joined":
        this.joined = true;
        this.waiting = "";
        if (this.kind === "link") this.connected(event);
        else {
          this.names = [...new Set([...this.names, event.name])].sort();
          this.tell("talk_joined", { name: event.name, at: event.at });
        }
        break;
      case "left":
        if (this.kind === "room") this.names = this.names.filter((name) => name !== event.name);
        else this.joined = false;
        this.tell(this.kind === "room" ? "talk_left" : "link_left", { name: event.name, at: event.at });
        break;
      case "message":
        this.count += 1;
        this.rows = [
          ...this.rows,
          {
            id: `m${this.count}`,
            own: false,
            from: event.from ?? "",
            text: event.text,
            at: time(event.sent_at),
            state: "sent",
            why: "",
          },
        ];
        this.unread += 1;
        break;
      case "sent":
        this.set(`own-${event.number}`, { state: "sent", at: time(event.sent_at) });
        break;
      case "delivered":
        this.set(`own-${event.number}`, { state: "delivered" });
        break;
      case "names":
        this.names = [...event.names].sort();
        break;
      case "verify":
        this.proof = { words: event.words ?? "", digits: event.digits ?? "", guests: event.guests ?? 0 };
        break;
      case "offline":
      case "broken":
      case "retrying":
        this.waiting = event.reason ?? event.message ?? "";
        break;
      case "path":
        this.via = event.via;
        break;
      case "file_offered":
        this.file(event, "offered");
        break;
      case "file_progress":
        this.file(event, "going");
        break;
      case "file_ended":
        this.file(event, "ended");
        break;
      case "dropped":
        this.tell("talk_dropped");
        break;
      case "turned_away":
      case "error":
        if (event.number !== undefined) this.set(`own-${event.number}`, { state: "failed", why: event.message });
        this.tell("", { text: event.message });
        break;
      case "ended":
        this.end(event.message ?? event.reason ?? "");
        break;
      default:
    }
  }

  /**
   * @private
   * @param {any} event
   */
  connected(event) {
    this.names = [event.name ?? ""];
    this.vouched = event.vouched === true;
    this.encryption = event.encryption ?? "";
    this.via = event.via ?? "";
    if (event.words) this.proof = { words: event.words, digits: event.digits ?? "", guests: 2 };
    this.tell(event.again ? "link_again" : "link_joined");
  }

  /**
   * @private
   * @param {any} event
   * @param {FileOf["state"]} state
   */
  file(event, state) {
    const key = event.direction === "sending" ? -event.number : event.number;
    this.files = new Map(this.files).set(key, {
      number: event.number,
      direction: event.direction,
      name: event.name,
      size: event.size,
      done: event.done ?? 0,
      state,
      outcome: event.outcome ?? "",
      path: event.path ?? "",
    });
  }

  /** @param {string} why */
  end(why) {
    this.ended = why || " ";
    this.joined = false;
    this.waiting = "";
  }

  async leave() {
    if (!this.ended) {
      if (this.kind === "room") await call("room_leave", { room: this.number });
      else await call("direct_leave", { direct: this.number });
    }
    talks.update((before) => before.filter((talk) => talk !== this));
  }

  seen() {
    if (this.unread === 0) return;
    this.unread = 0;
    this.changed();
  }
}

export const talks = new Cell(/** @type {Talk[]} */ ([]));

/**
 * Events of talks whose number the page does not know yet.
 * @type {Map<string, any[]>}
 */
const early = new Map();

/** @param {Talk} talk */
export function addTalk(talk) {
  talks.update((before) => [...before, talk]);
  for (const event of early.get(talk.id) ?? []) talk.take(event);
  early.delete(talk.id);
  talk.changed();
}

/** @param {string} id */
export function talkOf(id) {
  return talks.value.find((talk) => talk.id === id) ?? null;
}

/**
 * @param {"room" | "link"} kind
 * @param {any} params
 */
export function takeTalk(kind, params) {
  const id = `${kind}-${params.room ?? params.direct}`;
  const talk = talkOf(id);
  if (!talk) {
    early.set(id, [...(early.get(id) ?? []), params]);
    return;
  }
  talk.take(params);
  talk.changed();
}

/**
 * The connection is gone, and they with it.
 * @param {string} why
 */
export function endTalks(why) {
  early.clear();
  for (const talk of talks.value) {
    if (!talk.ended) talk.end(why);
    talk.changed();
  }
}

/**
 * Milliseconds, or a date in words.
 * @param {unknown} at
 */
function time(at) {
  if (typeof at === "number") return at;
  const read = typeof at === "string" ? Date.parse(at) : NaN;
  return Number.isNaN(read) ? Date.now() : read;
}
