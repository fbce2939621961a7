// @ts-check
// From what is loaded of a chat to what is drawn: day lines, the line before what is new, and runs of one sender.

import { html } from "../parts/html.js";
import { Name } from "../parts/controls.js";
import { day, dayOf } from "../parts/time.js";
import { rich } from "../strings/index.js";
import { keyOf } from "./timelines.js";

/** @typedef {import("./timelines.js").Timeline} Timeline */
/** @typedef {import("../views/message.js").RowItem} RowItem */

const RUN = 5 * 60_000;

/**
 * @param {Timeline} timeline
 * @param {boolean} group
 * @returns {RowItem[]}
 */
export function rowsOf(timeline, group) {
  /** @type {RowItem[]} */
  const items = [];
  let lastDay = -1;
  let lastFrom = "";
  let lastAt = 0;
  const each = (/** @type {import("./timelines.js").MessageRow | import("./timelines.js").Notice} */ row) => {
    const at = "notice" in row ? row.at : row.received_at || row.sent_at;
    const today = dayOf(at);
    if (today !== lastDay) {
      items.push({ key: `day-${today}`, type: "day", text: day(at) });
      lastDay = today;
      lastFrom = "";
    }
    if ("notice" in row) {
      items.push({ key: row.id, type: "told", text: told(row), at });
      lastFrom = "";
      return;
    }
    const key = keyOf(row);
    if (key === timeline.unreadFrom) {
      items.push({ key: "unread", type: "unread" });
      lastFrom = "";
    }
    const first = row.from !== lastFrom || at - lastAt > RUN;
    const before = items[items.length - 1];
    if (first && before?.type === "message") before.last = true;
    items.push({
      key,
      id: row.id,
      type: "message",
      own: row.own,
      from: row.from,
      text: row.text,
      at,
      ...stateOf(timeline, row),
      first,
      last: false,
      marked: key === timeline.marked,
      group,
      direct: row.via === "direct" && !row.pending,
      size: row.text.length + 62 * (row.text.length > 40 ? row.text.split("\n").length - 1 : 0),
    });
    lastFrom = row.from;
    lastAt = at;
  };
  timeline.rows.forEach(each);
  timeline.waiting.forEach(each);
  const end = items[items.length - 1];
  if (end?.type === "message") end.last = true;
  return items;
}

/**
 * @param {Timeline} timeline
 * @param {import("./timelines.js").MessageRow} row
 */
function stateOf(timeline, row) {
  if (!row.own) return { state: /** @type {const} */ (""), why: "" };
  if (!row.pending) return { state: row.delivered ? /** @type {const} */ ("delivered") : /** @type {const} */ ("sent"), why: "" };
  const sending = timeline.sending.get(row.id);
  // What the client has in its outbox from before goes out by itself.
  return sending ? { state: sending.state, why: sending.message } : { state: /** @type {const} */ ("queued"), why: "" };
}

/** @param {import("./timelines.js").Notice} notice */
function told(notice) {
  const name = html`<${Name} text=${notice.name} class="strong" />`;
  switch (notice.notice) {
    case "joined":
      return rich("told_joined", { name });
    case "left":
      return rich("told_left", { name });
    case "renamed":
      return rich("told_renamed", { name });
    default:
      return rich("told_device", { name });
  }
}
