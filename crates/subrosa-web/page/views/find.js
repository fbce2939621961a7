// @ts-check
// Search: in one chat, over its timeline; in all chats, as a page of its own. The client searches its own store.

import { useEffect, useLayoutEffect, useRef, useState } from "../vendor/hooks.js";
import { t } from "../strings/index.js";
import { sentence } from "../rpc.js";
import { targetOf } from "../state/chats.js";
import { go } from "../state/route.js";
import { keyOf, timelineOf } from "../state/timelines.js";
import { call } from "../state/wire.js";
import { Avatar } from "../parts/avatar.js";
import { Button, IconButton, Name, Trouble } from "../parts/controls.js";
import { dirOf, html } from "../parts/html.js";
import { Icon } from "../parts/icons.js";
import { line } from "../parts/safe.js";
import { stamp } from "../parts/time.js";

/** @typedef {import("../api.js").MessageRow} MessageRow */

const PAGE = 40;
const PAUSE = 180;
const BEFORE = 40;
const SHOWN = 180;

/**
 * @param {string} text
 * @param {string | null} chat
 */
function useSearch(text, chat) {
  const [found, setFound] = useState(/** @type {{rows: MessageRow[], more: boolean, text: string} | null} */ (null));
  const [failed, setFailed] = useState("");
  const asked = useRef(0);
  const ask = async (/** @type {string | null} */ before) => {
    asked.current += 1;
    const mine = asked.current;
    try {
      const page = await call("search", { text, chat, before, limit: PAGE });
      if (mine !== asked.current) return;
      setFound((old) => ({ rows: before && old ? [...old.rows, ...page.rows] : page.rows, more: page.more, text }));
      setFailed("");
    } catch (error) {
      if (mine === asked.current) setFailed(sentence(error));
    }
  };
  useEffect(() => {
    asked.current += 1;
    if (text.trim() === "") {
      setFound(null);
      setFailed("");
      return undefined;
    }
    const timer = setTimeout(() => void ask(null), PAUSE);
    return () => clearTimeout(timer);
  }, [text, chat]);
  const more = () => ask(found?.rows[found.rows.length - 1]?.id ?? null);
  return { found, failed, more };
}

/** @param {{target: string, timeline: import("../state/timelines.js").Timeline, onClose: () => void}} props */
export function FindInChat({ target, timeline, onClose }) {
  const [text, setText] = useState("");
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const { found, failed, more } = useSearch(text, target);
  useLayoutEffect(() => field.current?.focus(), []);
  return html`<section class="find" aria-label=${t("find_in_chat")} onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      onClose();
    }
  }}>
    <div class="find-row">
      <${Icon} name="search" />
      <input type="search" class="input" ref=${field} value=${text} dir=${dirOf(text)} aria-label=${t("find_in_chat")} placeholder=${t("find_in_chat")}
        onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} />
      <${IconButton} icon="close" label=${t("close")} onClick=${onClose} />
    </div>
    <${Results} found=${found} failed=${failed} more=${more} onPick=${(/** @type {MessageRow} */ row) => void timeline.around(row)} />
  </section>`;
}

/** All chats. */
export function SearchPage() {
  const [text, setText] = useState("");
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const { found, failed, more } = useSearch(text, null);
  useLayoutEffect(() => field.current?.focus(), []);
  const pick = (/** @type {MessageRow} */ row) => {
    const target = targetOf(row.conversation, row.chat);
    const timeline = timelineOf(target);
    timeline.sought = row;
    go({ page: "chat", chat: target });
  };
  return html`<div class="page">
    <header class="head">
      <${IconButton} icon="back" label=${t("back_to_chats")} class="narrow-only" onClick=${() => go({ page: "home" })} />
      <div class="head-text"><h1 tabindex="-1">${t("search_all")}</h1><p class="quiet">${t("search_where")}</p></div>
    </header>
    <div class="page-body">
      <div class="find-row big"><${Icon} name="search" />
        <input type="search" class="input" ref=${field} value=${text} dir=${dirOf(text)} aria-label=${t("search_all")} placeholder=${t("search_words")}
          onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} /></div>
      <${Results} found=${found} failed=${failed} more=${more} onPick=${pick} chats=${true} />
    </div>
  </div>`;
}

/** @param {any} props */
function Results({ found, failed, more, onPick, chats }) {
  return html`<div class="results">
    <${Trouble} text=${failed} />
    <p class="unseen" role="status">${found ? t(found.more ? "found_more" : "found_count", { count: found.rows.length }) : ""}</p>
    ${found && found.rows.length === 0 && html`<p class="quiet empty">${t("found_nothing")}</p>`}
    ${found &&
    found.rows.length > 0 &&
    html`<ul class="found">
      ${found.rows.map(
        (/** @type {MessageRow} */ row) => html`<li key=${`${row.conversation} ${keyOf(row)}`}>
          <button type="button" onClick=${() => onPick(row)}>
            <${Avatar} name=${row.from} size="small" />
            <span class="found-text">
              <span class="found-head"><${Name} class="strong" text=${row.from} />
                ${chats && html`<span class="quiet"><${Name} text=${targetOf(row.conversation, row.chat)} /></span>`}
                <time class="quiet">${stamp(row.received_at || row.sent_at)}</time></span>
              <bdi class="found-piece">${marked(row.text, found.text)}</bdi>
            </span>
          </button>
        </li>`,
      )}
    </ul>`}
    ${found?.more && html`<${Button} onClick=${() => void more()}>${t("more")}<//>`}
  </div>`;
}

/**
 * The part of a text around the first word that was searched for, with all of them set off.
 * @param {string} text
 * @param {string} wanted
 */
function marked(text, wanted) {
  const words = wanted.split(/\s+/).filter(Boolean).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const whole = line(text);
  if (words.length === 0) return whole.slice(0, SHOWN);
  const pattern = new RegExp(`(${words.join("|")})`, "giu");
  const at = Math.max(0, whole.search(pattern));
  const start = at > BEFORE ? at - BEFORE : 0;
  const piece = `${start > 0 ? "…" : ""}${whole.slice(start, start + SHOWN)}`;
  return piece.split(pattern).map((part, index) => (index % 2 === 1 ? html`<mark>${part}</mark>` : part));
}
