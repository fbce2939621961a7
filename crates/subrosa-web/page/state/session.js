// @ts-check
// The life of the page: connecting, what is read first, and what each event changes.
//
//   no-token   the address had none: the page can do nothing, and says why
//   starting ──▶ first-run ──▶ ready      (`hello` says whether the profile has an account)
//
// After a reconnection the page goes on behind the last event it knows. If the client says that some are gone, all that
// is shown is read again.

import { sentence } from "../rpc.js";
import { t } from "../strings/index.js";
import { Cell } from "./cell.js";
import {
  changedKeys,
  chatOf,
  chats,
  direct,
  invites,
  noteDirect,
  noteMessages,
  onRenamed,
  readChangedKeys,
  readChats,
  readInvites,
  renameChat,
  setChats,
  targetOf,
} from "./chats.js";
import { readKnownMembers } from "./members.js";
import { countInTitle, notify } from "./notify.js";
import { note } from "./overlay.js";
import { me, readPeople, status } from "./person.js";
import { goInstead, route } from "./route.js";
import { sendLost } from "./sending.js";
import { readSettings } from "./settings.js";
import { endTalks, takeTalk } from "./talks.js";
import { readTimelines, takeDelivered, takeMessages, takeNotice } from "./timelines.js";
import { call, connect, disconnect } from "./wire.js";

/**
 * An event with its name, also where it is a row besides.
 * @typedef {Extract<import("../api.js").Told, {event: string}> | ({event: "message"} & import("../api.js").MessageRow) |
 *   ({event: "invite"} & import("../api.js").InviteRow)} Event
 */

export const phase = new Cell(/** @type {"no-token" | "starting" | "first-run" | "ready"} */ ("starting"));
export const hello = new Cell(/** @type {import("../api.js").Hello | null} */ (null));
/** Why the page could not be filled, or why this device was ended. */
export const trouble = new Cell("");
/** What a screen reader is told: only text that is new. */
export const announced = new Cell("");

const TOKEN = "subrosa.token";
/** Why this device was ended, for the page that is loaded anew then. */
const ENDED = "subrosa.ended";
const ANNOUNCED = 3;

/** @type {number | null} */
let cursor = null;
let notices = 0;
let loggingOut = false;

/** Takes the token out of the address, and connects. */
export function start() {
  takeToken();
  // The page's link may be opened again where the page is: only what is behind its `#` changes then.
  addEventListener("hashchange", () => {
    if (takeToken()) location.reload();
  });
  onRenamed((renamed) => {
    const now = route.value.page === "chat" && renamed.get(route.value.chat);
    if (now) goInstead({ page: "chat", chat: now });
  });
  const token = sessionStorage.getItem(TOKEN);
  if (!token) {
    phase.set("no-token");
    return;
  }
  countInTitle();
  connect(token, {
    onOpen: () => void opened(),
    onNotices: take,
    lost: () => t("connection_lost"),
  });
}

/** Whether there was one in the address. */
function takeToken() {
  const given = /^#token=(.+)$/.exec(location.hash);
  if (!given) return false;
  sessionStorage.setItem(TOKEN, decodeURIComponent(given[1]));
  goInstead({ page: "home" });
  return true;
}

async function opened() {
  endTalks(t("talk_ended_connection"));
  await begin();
}

/** Finds out how the profile stands, and shows that. */
export async function begin() {
  trouble.set("");
  try {
    const said = await call("hello", {});
    hello.set(said);
    if (said.profile === "enrolled") await enter();
    else if (me.value) leave("");
    else {
      trouble.set(sessionStorage.getItem(ENDED) ?? "");
      phase.set("first-run");
    }
  } catch (error) {
    trouble.set(sentence(error));
  }
}

/** Fills the page after a login, or after the connection was made again. */
export async function enter() {
  const known = phase.value === "ready" ? cursor : null;
  await Promise.all([fill(), readSettings()]);
  const asked = known ?? cursor;
  const { missed } = await call("subscribe", asked === null ? {} : { cursor: asked });
  if (missed) await readAll();
  sessionStorage.removeItem(ENDED);
  trouble.set("");
  phase.set("ready");
  // Somebody looks at this profile now: direct links are worth making.
  await call("follow", {});
  quietly(readPeople());
  if (known !== null) sendLost();
}

async function fill() {
  const overview = await call("overview", {});
  if (me.value && me.value.device !== overview.who.device) {
    leave("");
    return;
  }
  me.set(overview.who);
  status.set(overview.status);
  setChats(overview.chats);
  invites.set(overview.invites);
  changedKeys.set(overview.changed_keys);
  direct.set(new Set());
  cursor = overview.cursor;
}

/** @param {{method: string, params: any}[]} batch */
function take(batch) {
  /** @type {import("../api.js").MessageRow[]} */
  let messages = [];
  for (const { method, params } of batch) {
    if (method === "event") {
      if (typeof params.cursor === "number") cursor = params.cursor;
      if (params.event === "message") {
        messages.push(params);
        continue;
      }
      // What happened to a message finds it in its place.
      if (messages.length > 0) taken(messages);
      messages = [];
      happened(params);
    } else if (method === "room") takeTalk("room", params);
    else if (method === "direct") takeTalk("link", params);
    else if (method === "missed") void readAgain();
  }
  if (messages.length > 0) taken(messages);
}

/** @param {import("../api.js").MessageRow[]} rows */
function taken(rows) {
  const name = me.value?.name ?? "";
  takeMessages(rows);
  const settled = rows.filter((row) => !row.pending);
  if (settled.length > 0) noteMessages(settled, name);
  if (settled.some((row) => chats.value.every((chat) => chat.conversation !== row.conversation))) {
    // A chat that is new here: another device of this account began or accepted it.
    quietly(readChats());
    quietly(readInvites());
  }
  const fresh = settled.filter((row) => !row.own && row.unread);
  notify(fresh, name);
  announce(fresh);
}

/** @param {import("../api.js").MessageRow[]} rows */
function announce(rows) {
  const now = route.value;
  const here = now.page === "chat" ? rows.filter((row) => targetOf(row.conversation, row.chat) === now.chat) : [];
  if (here.length === 0) return;
  const told = here.slice(-ANNOUNCED).map((row) => t("announce", { name: row.from, text: row.text }));
  if (here.length > ANNOUNCED) told.unshift(t("announce_more", { count: here.length - ANNOUNCED }));
  announced.set(told.join("\n"));
}

/** Reads all that is shown again. */
export async function readAll() {
  await fill();
  await readTimelines();
}

async function readAgain() {
  try {
    await readAll();
  } catch {
    // The connection broke meanwhile; all is read when it is there again.
  }
}

/**
 * What can be read again is; without a connection it is read when there is one.
 * @param {Promise<unknown>} reading
 */
function quietly(reading) {
  reading.catch(() => undefined);
}

/** @param {Event} event */
function happened(event) {
  switch (event.event) {
    case "online":
      status.update((before) => ({ ...before, online: true, reason: "" }));
      quietly(readChats());
      quietly(readPeople());
      break;
    case "offline":
      status.update((before) => ({ ...before, online: false, reason: event.reason }));
      break;
    case "delivered":
      takeDelivered(event.conversation, event.chat, event.id);
      break;
    case "invite":
      quietly(readInvites());
      quietly(readChats());
      note(t("note_invite", { name: event.from }));
      break;
    case "joined":
    case "left":
      tell(event.chat, event.event, event.name, "");
      quietly(readChats());
      quietly(readInvites());
      readKnownMembers();
      break;
    case "renamed":
      renamed(event.chat, `#${event.title}`);
      break;
    case "role_changed":
      me.update((before) => before && { ...before, role: event.role });
      quietly(readPeople());
      note(t("note_role", { role: t(/** @type {any} */ (`role_${event.role}`)) }), "good");
      break;
    case "key_changed":
      quietly(readChangedKeys());
      quietly(readChats());
      break;
    case "device_added":
      note(t("note_device", { name: event.name, device: event.device }));
      break;
    case "direct":
      noteDirect(event.chat, event.up);
      break;
    case "warning":
      note(event.message, "bad");
      break;
    case "logged_out":
      leave(loggingOut ? "" : event.reason);
      break;
    default:
  }
}

/**
 * @param {string} chat
 * @param {"joined" | "left"} what
 * @param {string} name
 * @param {string} more
 */
function tell(chat, what, name, more) {
  notices += 1;
  takeNotice(chat, { id: `notice-${notices}`, notice: what, name, more, at: Date.now() });
}

/**
 * @param {string} before
 * @param {string} now
 */
function renamed(before, now) {
  const conversation = chatOf(before)?.conversation ?? "";
  renameChat(before, now);
  notices += 1;
  takeNotice(targetOf(conversation, now), { id: `notice-${notices}`, notice: "renamed", name: now, more: before, at: Date.now() });
  quietly(readChats());
}

/** Logs this device out. */
export async function logOut() {
  loggingOut = true;
  try {
    await call("log_out", {});
  } finally {
    loggingOut = false;
  }
  leave("");
}

/**
 * The profile has no account any more, or another one. Nothing of this one may be shown or sent as somebody else: the
 * connection ends, and the page is loaded anew with nothing but its token.
 * @param {string} reason
 */
function leave(reason) {
  disconnect();
  if (reason) sessionStorage.setItem(ENDED, reason);
  goInstead({ page: "home" });
  location.reload();
}
