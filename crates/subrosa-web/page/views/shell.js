// @ts-check
// The frame: three columns on a wide screen, two on a medium one, one on a narrow one; banners and notes; the keys.

import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { direction, language, rich, t } from "../strings/index.js";
import { useCell } from "../state/cell.js";
import { chats } from "../state/chats.js";
import { closeDialog, dialog, dropNote, notes, show } from "../state/overlay.js";
import { status } from "../state/person.js";
import { details, go, route } from "../state/route.js";
import { announced, begin, phase, trouble } from "../state/session.js";
import { hurry, link } from "../state/wire.js";
import { Button, IconButton } from "../parts/controls.js";
import { classes, html } from "../parts/html.js";
import { Icon, Rose } from "../parts/icons.js";
import { writing } from "../parts/keys.js";
import { line } from "../parts/safe.js";
import { ChatView } from "./chat.js";
import { Details } from "./details.js";
import { Dialogs } from "./dialogs.js";
import { SearchPage } from "./find.js";
import { FirstRun } from "./first-run.js";
import { Links } from "./links.js";
import { People } from "./people.js";
import { Requests } from "./requests.js";
import { Rooms } from "./rooms.js";
import { Settings } from "./settings.js";
import { Sidebar } from "./sidebar.js";
import { TalkDetails, TalkView } from "./talk.js";

export function Shell() {
  const words = useCell(language);
  const now = useCell(phase);
  useEffect(() => {
    document.documentElement.lang = words;
    document.documentElement.dir = direction();
  }, [words]);
  return html`<div class="shell">
    <${Banner} />
    ${now === "ready" ? html`<${Columns} />` : now === "first-run" ? html`<${FirstRun} />` : html`<${Waiting} phase=${now} />`}
    ${now !== "no-token" && html`<${Dialogs} />`}
    <${Notes} />
    <${Announcer} />
  </div>`;
}

/** @param {{phase: string}} props */
function Waiting({ phase: now }) {
  const why = useCell(trouble);
  const connection = useCell(link);
  if (now === "no-token") {
    return html`<main class="first-run"><div class="first-card"><header><${Rose} /><h1>${t("no_token")}</h1></header>
      <p>${t("no_token_why")}</p><p>${t("no_token_do")}</p><p class="code" dir="ltr">subrosa web</p></div></main>`;
  }
  return html`<main class="first-run"><div class="first-card"><header><${Rose} /><h1>${t("app_name")}</h1></header>
    ${why ? html`<p role="alert" class="trouble"><${Icon} name="warning" /><span dir="auto">${line(why)}</span></p>` : html`<p class="quiet late" role="status">${t("loading")}</p>`}
    ${why && connection.state === "open" && html`<div class="acts"><${Button} icon="reload" onClick=${() => void begin()}>${t("try_again")}<//></div>`}
    ${connection.tries > 1 && html`<p class="quiet">${t("connection_hint")}</p>`}</div></main>`;
}

function Columns() {
  const now = useCell(route);
  const open = useCell(details);
  useKeys();
  const about = now.page === "chat" || now.page === "room" || now.page === "link";
  const right = open && about;
  const main = useRef(/** @type {HTMLElement | null} */ (null));
  const at = JSON.stringify(now);
  const first = useRef(true);
  const narrow = useMedia("(max-width: 44.99rem)");
  const alone = narrow && now.page === "home";
  // On a screen without a third column, details lie over the chat: they do not stay for the next one.
  useEffect(() => {
    if (!matchMedia("(min-width: 70rem)").matches) details.set(false);
  }, [at]);
  // Where there is nothing to write in, the heading takes the focus, so that the keyboard goes on in what is new.
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    if (now.page !== "home" && !main.current?.contains(document.activeElement)) {
      focusIn(main.current, "h1");
    }
  }, [at]);
  const wide = useMedia("(min-width: 70rem)");
  // Details that cover the chat take the focus, and give it back to the button that opened them.
  const covers = right && !wide;
  const covered = useRef(false);
  useEffect(() => {
    if (covers) focusIn(main.current, ".right h1");
    else if (covered.current && about) focusIn(main.current, "[data-opens-details]");
    covered.current = covers;
  }, [covers]);
  const columns = classes("columns", now.page === "home" && "at-home", right && "with-details");
  if (alone) return html`<div class=${columns}><main class="left" ref=${main}><${Sidebar} alone=${true} /></main></div>`;
  return html`<div class=${columns}>
    <div class="left"><${Sidebar} alone=${false} /></div>
    <main class="content" ref=${main}>
      <div class="middle"><${Middle} /></div>
      ${right &&
      html`<section class="right" aria-label=${t("details")}>
        ${now.page === "chat" ? html`<${Details} key=${now.chat} target=${now.chat} over=${!wide} />` : html`<${TalkDetails} id=${now.talk} over=${!wide} />`}
      </section>`}
    </main>
  </div>`;
}

function Middle() {
  const now = useCell(route);
  switch (now.page) {
    case "chat":
      return html`<${ChatView} target=${now.chat} />`;
    case "people":
      return html`<${People} part=${now.part} />`;
    case "settings":
      return html`<${Settings} part=${now.part} />`;
    case "rooms":
      return html`<${Rooms} />`;
    case "links":
      return html`<${Links} />`;
    case "room":
    case "link":
      return html`<${TalkView} id=${now.talk} />`;
    case "search":
      return html`<${SearchPage} />`;
    case "requests":
      return html`<${Requests} />`;
    default:
      return html`<${Home} />`;
  }
}

function Home() {
  const rows = useCell(chats);
  return html`<div class="home"><${Rose} /><h1 tabindex="-1">${rows.length === 0 ? t("home_empty") : t("home")}</h1>
    <p class="quiet">${rows.length === 0 ? t("home_empty_note") : t("home_note")}</p>
    <div class="acts center"><${Button} tone="main" icon="add" onClick=${() => show({ kind: "new-chat" })}>${t("new_chat")}<//>
      <${Button} icon="search" onClick=${() => show({ kind: "switcher" })}>${t("switch_to")}<//>
      <${Button} onClick=${() => show({ kind: "shortcuts" })}>${t("shortcuts")}<//></div></div>`;
}

/** Why something may be late: no connection to the own client, or none from it to the server. */
function Banner() {
  const connection = useCell(link);
  const state = useCell(status);
  const now = useCell(phase);
  const [tick, setTick] = useState(0);
  const waits = connection.state === "waiting";
  useEffect(() => {
    if (!waits) return undefined;
    const timer = setInterval(() => setTick((count) => count + 1), 1000);
    return () => clearInterval(timer);
  }, [waits]);
  void tick;
  if (now === "no-token" || now === "starting") return null;
  if (connection.state !== "open") {
    if (connection.tries === 0) return null;
    const left = Math.max(0, Math.ceil((connection.again - Date.now()) / 1000));
    return html`<div class="banner bad" role="status"><${Icon} name="warning" /><p>${t("banner_client")}
      ${connection.tries > 2 && html` ${t("connection_hint")}`} ${waits && left > 0 && html`<span aria-hidden="true">${t("banner_again", { count: left })}</span>`}</p>
      <${Button} onClick=${hurry} disabled=${!waits}>${t("try_now")}<//></div>`;
  }
  if (now === "ready" && !state.online) {
    return html`<div class="banner" role="status"><${Icon} name="clock" />
      <p>${state.reason ? rich("banner_offline_why", { why: html`<bdi>${line(state.reason)}</bdi>` }) : t("banner_offline")}
        ${state.queued > 0 && html` ${t("banner_queued", { count: state.queued })}`}</p></div>`;
  }
  return null;
}

function Notes() {
  const all = useCell(notes);
  return html`<div class="notes" role="status">
    ${all.map(
      (one) => html`<div key=${one.id} class=${`note ${one.tone}`}><span dir="auto">${one.text}</span>
        <${IconButton} icon="close" label=${t("close")} onClick=${() => dropNote(one.id)} /></div>`,
    )}
  </div>`;
}

/** For screen readers: what came new in the open chat, and nothing else. */
function Announcer() {
  return html`<div class="unseen" role="log" aria-live="polite" aria-label=${t("new_messages")}>${useCell(announced)}</div>`;
}

/**
 * @param {HTMLElement | null} box
 * @param {string} selector
 */
function focusIn(box, selector) {
  /** @type {HTMLElement | null | undefined} */ (box?.querySelector(selector))?.focus({ preventScroll: true });
}

/**
 * Whether a media query holds.
 * @param {string} query
 */
function useMedia(query) {
  const [holds, setHolds] = useState(matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const change = () => setHolds(media.matches);
    change();
    media.addEventListener("change", change);
    return () => media.removeEventListener("change", change);
  }, [query]);
  return holds;
}

function useKeys() {
  useEffect(() => {
    const press = (/** @type {KeyboardEvent} */ event) => {
      if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
        event.preventDefault();
        if (dialog.value?.kind === "switcher") closeDialog();
        else show({ kind: "switcher" });
        return;
      }
      if (dialog.value) return;
      if (event.altKey && !event.ctrlKey && !event.metaKey) alt(event);
      else if (event.key === "?" && !writing(event)) show({ kind: "shortcuts" });
      else if (event.key === "Escape" && !event.defaultPrevented) {
        if (details.value) details.set(false);
        else if (!writing(event)) go({ page: "home" });
      }
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}

/** @param {KeyboardEvent} event */
function alt(event) {
  const links = /** @type {HTMLAnchorElement[]} */ ([...document.querySelectorAll(".chat-lists a[data-chat]")]);
  const at = links.findIndex((one) => one.getAttribute("aria-current") === "page");
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  if (step !== 0 && links.length > 0) {
    event.preventDefault();
    links[(at + step + links.length) % links.length].click();
  } else if (event.code === "KeyA") {
    event.preventDefault();
    links.find((one) => one.classList.contains("has-unread"))?.click();
  } else if (event.code === "KeyI") {
    event.preventDefault();
    details.set(!details.value);
  } else if (event.code === "KeyF") {
    event.preventDefault();
    go({ page: "search" });
  }
}
