// @ts-check
// Tells the reader of new messages while the page is not looked at: the count in the title, and a notification of the
// desktop if the reader wants them.

import { line } from "../parts/safe.js";
import { t } from "../strings/index.js";
import { chats, mentionOf } from "./chats.js";
import { go } from "./route.js";
import { settings } from "./settings.js";

/** @typedef {import("../api.js").MessageRow} MessageRow */

const LONGEST = 160;

/** Which messages the reader is told of: `all`, `mentions` or `none`. */
export function wanted() {
  return settings.value.notify ?? "none";
}

/**
 * @param {MessageRow[]} rows
 * @param {string} me
 */
export function notify(rows, me) {
  if (document.hasFocus() || wanted() === "none" || !("Notification" in window)) return;
  if (Notification.permission !== "granted") return;
  const mention = mentionOf(me);
  const fresh = rows.filter((row) => !row.own && row.unread && (wanted() === "all" || mention.test(row.text)));
  const last = fresh[fresh.length - 1];
  if (!last) return;
  const body = fresh.length === 1 ? [...line(last.text)].slice(0, LONGEST).join("") : t("notify_more", { count: fresh.length });
  const notification = new Notification(line(`${last.from} · ${last.chat}`), { body, tag: last.conversation });
  notification.onclick = () => {
    window.focus();
    go({ page: "chat", chat: last.chat });
    notification.close();
  };
}

/** Keeps the count of unread messages in the title. */
export function countInTitle() {
  const show = () => {
    const count = chats.value.reduce((sum, chat) => sum + chat.unread, 0);
    const name = t("app_name");
    const title = count > 0 ? `(${count}) ${name}` : name;
    if (document.title !== title) document.title = title;
  };
  chats.watch(show);
  show();
}
