// @ts-check
// The left column: chats with unread ones first, what waits for an answer, rooms and links of this visit, and the way
// to everything else.

import { useRef, useState } from "../vendor/hooks.js";
import { number, t } from "../strings/index.js";
import { useCell } from "../state/cell.js";
import { changedKeys, chats, direct, invites } from "../state/chats.js";
import { show } from "../state/overlay.js";
import { me, status } from "../state/person.js";
import { go, route } from "../state/route.js";
import { talks } from "../state/talks.js";
import { call } from "../state/wire.js";
import { readAll } from "../state/session.js";
import { Avatar } from "../parts/avatar.js";
import { IconButton, Name } from "../parts/controls.js";
import { classes, dirOf, html } from "../parts/html.js";
import { Icon, Rose } from "../parts/icons.js";
import { arrows } from "../parts/keys.js";
import { line } from "../parts/safe.js";
import { recent } from "../parts/time.js";
import { note } from "../state/overlay.js";
import { sentence } from "../rpc.js";

/** @typedef {import("../api.js").ChatRow} ChatRow */

const TOO_MANY = 99;

/** @param {{alone: boolean}} props `alone`: it is all that a narrow screen shows */
export function Sidebar({ alone }) {
  const [filter, setFilter] = useState("");
  const rows = sorted(useCell(chats), filter);
  const asked = useCell(invites);
  const here = useCell(talks);
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  return html`<div class="sidebar">
    <header class="sidebar-head">
      <a class="brand" href="#/"><${Rose} /><span>${t("app_name")}</span></a>
      ${alone && html`<h1 class="unseen" tabindex="-1">${t("chats")}</h1>`}
      <${Reload} />
      <${IconButton} icon="add" label=${t("new_chat")} onClick=${() => show({ kind: "new-chat" })} />
    </header>
    <div class="filter" role="search">
      <${Icon} name="search" />
      <input type="search" class="input" aria-label=${t("filter_chats")} placeholder=${t("filter_chats")} value=${filter} dir=${dirOf(filter)}
        onInput=${(/** @type {any} */ event) => setFilter(event.currentTarget.value)}
        onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
          if (event.key === "ArrowDown") {
            event.preventDefault();
            /** @type {HTMLElement | null} */ (list.current?.querySelector("a"))?.focus();
          }
          if (event.key === "Enter" && rows[0]) go({ page: "chat", chat: rows[0].chat });
        }} />
    </div>
    <nav class="chat-lists" aria-label=${t("chats")} ref=${list} onKeyDown=${arrows("a.chat-row")}>
      ${asked.length > 0 &&
      html`<a class=${classes("chat-row", "asking")} href="#/requests">
        <span class="avatar asking" aria-hidden="true"><${Icon} name="bell" /></span>
        <span class="chat-text"><span class="strong">${t("requests")}</span>
          <span class="quiet one-line">${t("requests_wait", { count: asked.length })}</span></span>
        <span class="badge" aria-hidden="true">${number(asked.length)}</span>
      </a>`}
      ${here.length > 0 &&
      html`<h2 class="list-title">${t("this_visit")}</h2>
        <ul>
          ${here.map((talk) => html`<li key=${talk.id}><${TalkRow} talk=${talk} /></li>`)}
        </ul>
        <h2 class="list-title">${t("chats")}</h2>`}
      ${rows.length > 0 && html`<ul>${rows.map((chat) => html`<li key=${chat.conversation}><${ChatLine} chat=${chat} /></li>`)}</ul>`}
      ${rows.length === 0 &&
      html`<p class="quiet empty">${filter ? t("filter_nothing") : t("no_chats")}</p>`}
      ${filter &&
      html`<a class="chat-row" href="#/search"><span class="avatar asking" aria-hidden="true"><${Icon} name="search" /></span>
        <span class="chat-text">${t("search_messages")}</span></a>`}
    </nav>
    <${Places} />
  </div>`;
}

/**
 * Unread first, then what was last.
 * @param {ChatRow[]} rows
 * @param {string} filter
 */
function sorted(rows, filter) {
  const wanted = filter.trim().toLowerCase();
  return rows
    .filter((row) => row.chat.toLowerCase().includes(wanted))
    .sort(
      (a, b) =>
        Number(b.mentions > 0) - Number(a.mentions > 0) ||
        Number(b.unread > 0) - Number(a.unread > 0) ||
        (b.last ?? 0) - (a.last ?? 0),
    );
}

/** @param {{chat: ChatRow}} props */
function ChatLine({ chat }) {
  const now = useCell(route);
  const up = useCell(direct).has(chat.chat);
  const alarm = useCell(changedKeys).some((row) => `@${row.name}` === chat.chat);
  const current = now.page === "chat" && now.chat === chat.chat;
  const group = chat.kind === "group";
  return html`<a class=${classes("chat-row", chat.unread > 0 && "has-unread", alarm && "has-alarm")}
    href=${`#/chat/${encodeURIComponent(chat.chat)}`} aria-current=${current ? "page" : undefined} data-chat=${chat.chat}>
    <${Avatar} name=${chat.chat} kind=${group ? "group" : "person"} />
    <span class="chat-text">
      <span class="chat-top"><${Name} class="chat-name one-line" text=${chat.chat.slice(1)} />
        ${up && html`<span class="good" title=${t("direct_up")}><${Icon} name="link" /><span class="unseen">${t("direct_up")}</span></span>`}
        ${chat.last !== null && html`<time class="quiet">${recent(chat.last)}</time>`}</span>
      <span class="chat-bottom"><${Last} chat=${chat} alarm=${alarm} />
        ${chat.mentions > 0 && html`<span class="badge mention" aria-hidden="true">@</span>`}
        ${chat.unread > 0 &&
        html`<span class="badge" aria-hidden="true">${chat.unread > TOO_MANY ? `${number(TOO_MANY)}+` : number(chat.unread)}</span>
          <span class="unseen">${t("count_unread", { count: chat.unread })}${chat.mentions > 0 ? `, ${t("mentions_you")}` : ""}</span>`}</span>
    </span>
  </a>`;
}

/** @param {{chat: ChatRow, alarm: boolean}} props */
function Last({ chat, alarm }) {
  if (alarm) return html`<span class="last bad one-line">${t("key_changed_short")}</span>`;
  if (chat.draft) return piece(t("draft"), chat.draft, "accent");
  if (!chat.preview) return html`<span class="last quiet one-line">${t("nothing_yet")}</span>`;
  const { from, own, text } = chat.preview;
  return piece(own ? t("preview_you") : chat.kind === "group" ? html`<${Name} text=${from} />:` : "", text, "");
}

/**
 * The text has its own direction and is cut at its own end.
 * @param {any} before
 * @param {string} text
 * @param {string} tone
 */
function piece(before, text, tone) {
  return html`<span class="last quiet">${before && html`<span class=${tone}>${before}</span>`}<span class="one-line" dir="auto">${line(text)}</span></span>`;
}

/** @param {{talk: import("../state/talks.js").Talk}} props */
function TalkRow({ talk }) {
  const now = useCell(route);
  const current = (now.page === "room" || now.page === "link") && now.talk === talk.id;
  const state = talk.ended ? t("talk_over") : talk.waiting ? t("talk_waiting") : talk.joined ? t("talk_on") : t("talk_nobody");
  return html`<a class=${classes("chat-row", talk.unread > 0 && "has-unread")} href=${`#/${talk.kind}/${talk.id}`} aria-current=${current ? "page" : undefined}>
    <${Avatar} name=${talk.title} kind=${talk.kind} />
    <span class="chat-text"><span class="chat-top"><${Name} class="chat-name one-line" text=${talk.title} /></span>
      <span class="chat-bottom"><span class="one-line quiet">${state}</span>
        ${talk.unread > 0 && html`<span class="badge" aria-hidden="true">${number(talk.unread)}</span>
          <span class="unseen">${t("count_unread", { count: talk.unread })}</span>`}</span></span>
  </a>`;
}

function Reload() {
  const [busy, setBusy] = useState(false);
  const reload = async () => {
    setBusy(true);
    try {
      const came = await call("reload", {});
      await readAll();
      note(t("reloaded", { count: came.messages }), "good");
    } catch (error) {
      note(sentence(error), "bad");
    }
    setBusy(false);
  };
  return html`<${IconButton} icon="reload" class=${busy ? "busy" : ""} label=${t("reload")} disabled=${busy} onClick=${reload} />`;
}

function Places() {
  const now = useCell(route);
  const who = useCell(me);
  const state = useCell(status);
  /**
   * @param {string} page
   * @param {import("../parts/icons.js").IconName} icon
   * @param {string} text
   */
  const place = (page, icon, text) =>
    html`<a class="place" href=${`#/${page}`} aria-current=${now.page === page ? "page" : undefined}><${Icon} name=${icon} /><span>${text}</span></a>`;
  return html`<footer class="sidebar-foot">
    <nav class="places" aria-label=${t("places")}>
      ${place("people", "group", t("people"))}${place("rooms", "room", t("rooms"))}${place("links", "link", t("links"))}${place("settings", "gear", t("settings"))}
    </nav>
    ${who &&
    html`<p class="whoami"><span class=${state.online ? "dot on" : "dot"} aria-hidden="true"></span>
      <span class="one-line"><${Name} class="strong" text=${`@${who.name}`} /> <span class="quiet">${t(/** @type {any} */ (`role_${who.role}`))}</span></span>
      <span class="quiet">${state.online ? t("online") : t("offline")}</span></p>`}
  </footer>`;
}
