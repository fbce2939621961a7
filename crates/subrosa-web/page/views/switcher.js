// @ts-check
// Ctrl+K: to a chat, a person or a place by a few letters of its name.

import { useEffect, useLayoutEffect, useRef, useState } from "../vendor/hooks.js";
import { t } from "../strings/index.js";
import { useCell } from "../state/cell.js";
import { chats } from "../state/chats.js";
import { closeDialog, show } from "../state/overlay.js";
import { me, people, readPeopleQuietly } from "../state/person.js";
import { go } from "../state/route.js";
import { talks } from "../state/talks.js";
import { Avatar } from "../parts/avatar.js";
import { Name } from "../parts/controls.js";
import { Dialog } from "../parts/dialog.js";
import { dirOf, html } from "../parts/html.js";
import { Icon } from "../parts/icons.js";

const MOST = 12;

/** @typedef {{key: string, text: string, sign: any, note: string, rank: number, run: () => void}} Way */

export function Switcher() {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  useLayoutEffect(() => field.current?.focus(), []);
  useEffect(readPeopleQuietly, []);
  const ways = rank(all(useCell(chats), useCell(people), useCell(talks)), text);
  const take = (/** @type {Way | undefined} */ way) => {
    if (!way) return;
    closeDialog();
    way.run();
  };
  const key = (/** @type {KeyboardEvent} */ event) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0 && ways.length > 0) {
      event.preventDefault();
      setChosen((chosen + step + ways.length) % ways.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      take(ways[chosen]);
    }
  };
  return html`<${Dialog} title=${t("switcher")} onClose=${closeDialog} class="switcher" bare=${true}>
    <div class="find-row big"><${Icon} name="search" />
      <input class="input" ref=${field} role="combobox" aria-expanded="true" aria-controls="switcher-list" aria-autocomplete="list" dir=${dirOf(text)}
        aria-activedescendant=${ways.length > 0 ? `switcher-${chosen}` : undefined} aria-label=${t("switcher")} placeholder=${t("switcher")}
        value=${text} autocomplete="off" spellcheck=${false} onKeyDown=${key}
        onInput=${(/** @type {any} */ event) => {
          setText(event.currentTarget.value);
          setChosen(0);
        }} /></div>
    <ul id="switcher-list" role="listbox" aria-label=${t("switcher")}>
      ${ways.map(
        (way, index) => html`<li key=${way.key} id=${`switcher-${index}`} role="option" aria-selected=${index === chosen ? "true" : "false"}
          onClick=${() => take(way)} onMouseMove=${() => setChosen(index)}>
          ${way.sign}<${Name} class="one-line strong" text=${way.text} /><span class="quiet">${way.note}</span></li>`,
      )}
    </ul>
    ${ways.length === 0 && html`<p class="quiet empty">${t("found_nothing")}</p>`}
  <//>`;
}

/**
 * @param {import("../api.js").ChatRow[]} rows
 * @param {import("../api.js").RoleRow[]} everybody
 * @param {import("../state/talks.js").Talk[]} here
 * @returns {Way[]}
 */
function all(rows, everybody, here) {
  const mine = me.value?.name;
  const begun = new Set(rows.map((row) => row.chat));
  /**
   * @param {string} page
   * @param {import("../parts/icons.js").IconName} icon
   * @param {string} text
   */
  const place = (page, icon, text) => ({
    key: page,
    text,
    sign: html`<span class="avatar small place-sign" aria-hidden="true"><${Icon} name=${icon} /></span>`,
    note: t("place"),
    rank: 0,
    run: () => go(/** @type {any} */ ({ page, part: "" })),
  });
  return [
    ...rows.map((row) => ({
      key: row.conversation,
      text: row.chat,
      sign: html`<${Avatar} name=${row.chat} kind=${row.kind === "group" ? "group" : "person"} size="small" />`,
      note: row.unread > 0 ? t("count_unread", { count: row.unread }) : "",
      rank: 3e15 + (row.unread > 0 ? 1e15 : 0) + (row.last ?? 0),
      run: () => go({ page: "chat", chat: row.chat }),
    })),
    ...here.map((talk) => ({
      key: talk.id,
      text: talk.title,
      sign: html`<${Avatar} name=${talk.title} kind=${talk.kind} size="small" />`,
      note: t(talk.kind === "room" ? "room" : "link"),
      rank: 2e15,
      run: () => go({ page: talk.kind, talk: talk.id }),
    })),
    ...everybody
      .filter((row) => row.name !== mine && !begun.has(`@${row.name}`))
      .map((row) => ({
        key: `@${row.name}`,
        text: `@${row.name}`,
        sign: html`<${Avatar} name=${row.name} size="small" />`,
        note: t("new_chat"),
        rank: 1,
        run: () => go({ page: "chat", chat: `@${row.name}` }),
      })),
    place("search", "search", t("search_all")),
    place("people", "group", t("people")),
    place("rooms", "room", t("rooms")),
    place("links", "link", t("links")),
    place("settings", "gear", t("settings")),
    { ...place("group", "add", t("new_group")), run: () => show({ kind: "new-group" }) },
  ];
}

/**
 * @param {Way[]} ways
 * @param {string} text
 */
function rank(ways, text) {
  const wanted = text.trim().toLowerCase();
  return ways
    .map((way) => ({ way, score: wanted === "" ? 1 : closeness(way.text.toLowerCase(), wanted) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || b.way.rank - a.way.rank)
    .slice(0, MOST)
    .map(({ way }) => way);
}

/**
 * All letters in order; more if they begin words or stand together.
 * @param {string} text
 * @param {string} wanted
 */
function closeness(text, wanted) {
  let score = 0;
  let at = 0;
  let run = 0;
  for (const c of wanted) {
    const found = text.indexOf(c, at);
    if (found < 0) return 0;
    run = found === at && at > 0 ? run + 1 : 0;
    const begins = found === 0 || /[^\p{L}\p{N}]/u.test(text[found - 1]);
    score += 1 + run * 2 + (begins ? 4 : 0) - Math.min(3, (found - at) / 4);
    at = found + c.length;
  }
  return Math.max(0.1, score);
}
