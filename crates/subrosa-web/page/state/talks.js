// @ts-check
// Rooms and direct links: talks of this connection only. Nothing of them is kept; they end with the connection.

import { sentence } from "../rpc.js";
import { t } from "../strings/index.js";
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
    this.id = idOf(kind, number);
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
   * @param {{name?: string, text?: string, at?: number}} [more]
   */
  tell(told, more = {}) {
    this.count += 1;
    this.rows = [
      ...this.rows,
      { id: `t${this.count}`, told, name: more.name ?? "", text: more.text ?? "", at: more.at ?? Date.now() },
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
    let row = id;
    try {
      if (this.kind === "room") {
        const { number } = await call("room_say", { room: this.number, text });
        // What happened to it may have been told before its number was.
        const early = this.early.get(number);
        this.early.delete(number);
        this.set(id, { id: own(number), ...early });
      } else {
        this.texts += 1;
        row = own(this.texts);
        this.set(id, { id: row, state: "sent" });
        await call("direct_say", { direct: this.number, text });
      }
    } catch (error) {
      this.set(row, { state: "failed", why: sentence(error) });
    }
    this.changed();
  }

  /** Texts said over this link, from which the other side counts. */
  texts = 0;

  /**
   * Events about own texts whose number was not known yet.
   * @type {Map<number, Partial<Said>>}
   */
  early = new Map();

  /**
   * @param {string} id
   * @param {Partial<Said>} change
   */
  set(id, change) {
    this.rows = this.rows.map((row) => (row.id === id ? /** @type {Said} */ ({ ...row, ...change }) : row));
  }

  /**
   * @private
   * @param {number} number
   * @param {Partial<Said>} change
   */
  setOwn(number, change) {
    if (this.rows.some((row) => row.id === own(number))) this.set(own(number), change);
    else this.early.set(number, { ...this.early.get(number), ...change });
  }

  /** @param {any} event */
  take(event) {
    switch (event.event) {
      case "ticket":
        this.ticket = event.ticket;
        break;
      case "note":
        this.tell("", { text: event.text });
        break;
      case "admitted":
        this.me = called(event.me);
        break;
      case "inside":
        this.joined = true;
        this.waiting = "";
        this.names = [this.me, ...event.others.map(called)].sort();
        this.tell("talk_entered", { name: this.title });
        break;
      case "joined":
        this.joined = true;
        this.waiting = "";
        if (this.kind === "link") this.connected(event);
        else {
          this.names = [...new Set([...this.names, called(event.guest)])].sort();
          this.tell("talk_joined", { name: called(event.guest), at: event.at });
        }
        break;
      case "left":
        if (this.kind === "link") {
          this.joined = false;
          this.tell("link_left");
        } else {
          this.names = this.names.filter((name) => name !== called(event.guest));
          this.tell("talk_left", { name: called(event.guest), at: event.at });
        }
        break;
      case "message":
        this.heard(event);
        break;
      case "sent":
        this.setOwn(event.number, { state: "sent", at: event.at });
        break;
      case "refused":
        this.setOwn(event.number, { state: "failed", why: event.failure.message });
        break;
      case "uncertain":
        this.setOwn(event.number, { state: "failed", why: t("talk_uncertain") });
        break;
      case "delivered":
        for (let number = 1; number <= event.number; number += 1) this.set(own(number), { state: "delivered" });
        break;
      case "verify":
        if (event.words) this.proof = { words: event.words, digits: event.digits ?? "", guests: 2 };
        else this.tell("link_waits");
        break;
      case "lost":
        this.waiting = event.reason;
        break;
      case "broken":
      case "retrying":
        this.waiting = event.message;
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
        this.tell("", { text: event.message });
        break;
      case "ended":
        this.end(event.failure?.message ?? "");
        break;
      default:
    }
  }

  /**
   * @private
   * @param {any} event
   */
  heard(event) {
    this.count += 1;
    const from = event.from ? called(event.from) : "";
    const at = event.at ?? event.sent_at;
    this.rows = [...this.rows, { id: `m${this.count}`, own: false, from, text: event.text, at, state: "sent", why: "" }];
    this.unread += 1;
  }

  /**
   * @private
   * @param {any} event
   */
  connected(event) {
    this.title = t("link_peer");
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
    const before = this.files.get(key);
    this.files = new Map(this.files).set(key, {
      number: event.number,
      direction: event.direction,
      name: event.name ?? before?.name ?? "",
      size: event.size ?? before?.size ?? 0,
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
    left.add(this.id);
    talks.update((before) => before.filter((talk) => talk !== this));
  }

  seen() {
    if (this.unread === 0) return;
    this.unread = 0;
    this.changed();
  }
}

/** Talks that were left: what is still told of them is of no use. */
const left = /** @type {Set<string>} */ (new Set());

/** Numbers begin anew with each connection. */
let connection = 1;

/**
 * @param {"room" | "link"} kind
 * @param {number} number
 */
function idOf(kind, number) {
  return `${kind}-${connection}-${number}`;
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
  const id = idOf(kind, params.room ?? params.direct);
  const talk = talkOf(id);
  if (!talk && left.has(id)) return;
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
  left.clear();
  connection += 1;
  for (const talk of talks.value) {
    if (!talk.ended) talk.end(why);
    talk.changed();
  }
}

/**
 * The row of an own text.
 * @param {number} number
 */
function own(number) {
  return `own-${number}`;
}

/**
 * Who has an account on the room's server is shown with a sign.
 * @param {{name: string, member: boolean}} guest
 */
function called(guest) {
  return guest.member ? `@${guest.name}` : guest.name;
}
