// @ts-check
// One row of a timeline: a message, or a line that tells something.
//
// A row is drawn again only when what it shows has changed.

import { Component } from "../vendor/preact.js";
import { rich, t } from "../strings/index.js";
import { Avatar, colourOf } from "../parts/avatar.js";
import { Name } from "../parts/controls.js";
import { classes, html } from "../parts/html.js";
import { Icon } from "../parts/icons.js";
import { line, lines, pieces } from "../parts/safe.js";
import { clock, moment } from "../parts/time.js";

/**
 * @typedef {{
 *   key: string, id: string, type: "message", own: boolean, from: string, text: string, at: number, state: "" | "sending" | "sent" |
 *   "delivered" | "queued" | "failed", why: string, first: boolean, last: boolean, marked: boolean, group: boolean, direct: boolean,
 *   size: number,
 * }} MessageItem
 * @typedef {{key: string, type: "day", text: string}} DayItem
 * @typedef {{key: string, type: "unread"}} UnreadItem
 * @typedef {{key: string, type: "told", text: any, at: number}} ToldItem
 * @typedef {MessageItem | DayItem | UnreadItem | ToldItem} RowItem
 */

/** Long messages that the reader unfolded. */
const unfolded = /** @type {Set<string>} */ (new Set());

const LONG = 2500;
const LONG_LINES = 30;

/**
 * The beginning of a long message; a shorter one as it is.
 * @param {string} text
 */
function cut(text) {
  const rows = text.length > LONG_LINES ? text.split("\n", LONG_LINES + 1) : [];
  const few = rows.length > LONG_LINES ? `${rows.slice(0, LONG_LINES).join("\n")}…` : text;
  return few.length > LONG ? `${[...few.slice(0, LONG)].slice(0, -1).join("")}…` : few;
}

/**
 * A guess at how high a row is, before it was drawn.
 * @param {RowItem} item
 */
export function estimate(item) {
  if (item.type !== "message") return 44;
  return (item.first ? (item.group && !item.own ? 46 : 24) : 6) + 38 + 22 * Math.floor(Math.min(item.size, LONG) / 62);
}

/** @extends {Component<{item: RowItem, language: string, onRetry?: (id: string) => void, onDiscard?: (id: string) => void}, {}>} */
export class Row extends Component {
  /** @param {any} next */
  shouldComponentUpdate(next) {
    return next.language !== this.props.language || !same(next.item, this.props.item);
  }

  render() {
    const { item } = this.props;
    switch (item.type) {
      case "day":
        return html`<li data-key=${item.key} class="row day"><span>${item.text}</span></li>`;
      case "unread":
        return html`<li data-key=${item.key} class="row unread-line"><span>${t("unread_line")}</span></li>`;
      case "told":
        return html`<li data-key=${item.key} class="row told"><span>${item.text}</span> <time datetime=${iso(item.at)}>${clock(item.at)}</time></li>`;
      default:
        return this.message(item);
    }
  }

  /** @param {MessageItem} item */
  message(item) {
    const { onRetry, onDiscard } = this.props;
    const named = item.group && !item.own;
    const whole = unfolded.has(item.key) || cut(item.text) === item.text;
    return html`<li data-key=${item.key} data-message=${item.key}
      class=${classes("row", "message", item.own ? "own" : "other", item.first && "first", item.last && "last", item.marked && "marked",
        item.state === "failed" && "failed")}>
      ${named && html`<span class="row-seal">${item.first && html`<${Avatar} name=${item.from} size="small" />`}</span>`}
      <div class="bubble-column">
        ${named && item.first
          ? html`<p class=${`from ink-${colourOf(item.from)}`}><${Name} text=${item.from} /></p>`
          : html`<p class="unseen">${item.own ? t("you_said") : rich("they_said", { name: html`<${Name} text=${item.from} />` })}</p>`}
        <div class="bubble">
          <div class="text" dir="auto">${parts(whole ? item.text : cut(item.text))}</div>
          ${!whole && html`<button type="button" class="inline-button" onClick=${() => {
            unfolded.add(item.key);
            this.forceUpdate();
          }}>${t("show_whole")}</button>`}
          <p class="meta">
            ${item.direct && html`<span class="way" title=${t("via_direct")}><${Icon} name="link" /><span class="unseen">${t("via_direct")}</span></span>`}
            <time datetime=${iso(item.at)} title=${moment(item.at)}>${clock(item.at)}</time>
            ${item.own && html`<${State} state=${item.state} />`}
          </p>
        </div>
        ${item.state === "queued" && html`<p class="fate">${item.why ? html`<bdi>${line(item.why)}</bdi>` : t("queued_why")}</p>`}
        ${item.state === "failed" &&
        html`<p class="fate bad" role="alert"><bdi>${line(item.why)}</bdi>
          <button type="button" class="inline-button" onClick=${() => onRetry?.(item.id)}>${t("retry")}</button>
          <button type="button" class="inline-button" onClick=${() => onDiscard?.(item.id)}>${t("discard")}</button>
        </p>`}
      </div>
    </li>`;
  }
}

/** @param {{state: MessageItem["state"]}} props */
function State({ state }) {
  if (state === "") return null;
  const icons = { sending: "clock", queued: "clock", sent: "check", delivered: "checks", failed: "warning" };
  const words = t(/** @type {any} */ (`state_${state}`));
  return html`<span class=${`state ${state}`} title=${words} data-state=${state}>
    <${Icon} name=${icons[state]} /><span class="unseen">${words}</span>
  </span>`;
}

/** @param {string} text */
function parts(text) {
  return pieces(lines(text)).map((piece) =>
    piece.href === undefined
      ? piece.text
      : html`<a href=${piece.href} target="_blank" rel="noopener noreferrer" title=${piece.href}>${piece.text}</a>`,
  );
}

/** @param {number} at */
function iso(at) {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString();
}

/**
 * @param {any} a
 * @param {any} b
 */
function same(a, b) {
  if (a === b) return true;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
