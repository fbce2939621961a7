// @ts-check
// The timeline of a chat, with the button that leads to its end.

import { useCallback, useEffect, useMemo, useRef, useState } from "../vendor/hooks.js";
import { language, number, t } from "../strings/index.js";
import { useCell } from "../state/cell.js";
import { rowsOf } from "../state/rows.js";
import { discard, retry } from "../state/sending.js";
import { keyOf } from "../state/timelines.js";
import { Button, Trouble } from "../parts/controls.js";
import { html } from "../parts/html.js";
import { Icon } from "../parts/icons.js";
import { VirtualList } from "../parts/virtual-list.js";
import { Row, estimate } from "./message.js";

/** @typedef {import("../state/timelines.js").Timeline} Timeline */

/** @param {{timeline: Timeline, group: boolean, label: string}} props */
export function TimelineView({ timeline, group, label }) {
  const version = useCell(timeline.version);
  const words = useCell(language);
  const items = useMemo(() => rowsOf(timeline, group), [timeline, version, group, words]);
  const [atEnd, setAtEnd] = useState(true);
  const shown = useRef({ last: -1, items });
  const seenUntil = useRef(/** @type {string} */ (""));

  const look = useCallback(() => {
    if (!document.hasFocus()) return;
    // What is above the lowest row on the screen was passed by the reader, or was read before.
    const { last, items: there } = shown.current;
    const lowest = there[Math.min(last, there.length - 1)]?.key;
    const place = timeline.rows.findIndex((row) => keyOf(row) === lowest);
    const end = place >= 0 ? place + 1 : timeline.below === 0 ? timeline.rows.length : 0;
    const rows = timeline.rows.slice(0, end).filter((row) => !("notice" in row) && row.unread);
    if (rows.length > 0) timeline.seen(/** @type {import("../state/timelines.js").MessageRow[]} */ (rows));
  }, [timeline]);

  useEffect(() => {
    addEventListener("focus", look);
    return () => removeEventListener("focus", look);
  }, [look]);

  // How many came below what was last on the screen.
  const newest = lastOther(timeline);
  if (atEnd && !timeline.newer) seenUntil.current = newest;
  const below = atEnd && !timeline.newer ? 0 : countBelow(timeline, seenUntil.current);

  const onShown = (/** @type {number} */ _, /** @type {number} */ last, /** @type {boolean} */ end) => {
    shown.current = { last, items };
    timeline.below = end ? 0 : 1;
    setAtEnd(end);
    look();
  };
  const jump = timeline.jump && {
    to: timeline.jump.to === "end" ? /** @type {const} */ ("end") : /** @type {const} */ ("key"),
    key: timeline.jump.to === "unread" ? "unread" : timeline.jump.key,
    mark: timeline.jump,
  };
  const draw = useCallback(
    (/** @type {import("./message.js").RowItem} */ item) =>
      html`<${Row} key=${item.key} item=${item} language=${words} onRetry=${(/** @type {string} */ id) => retry(timeline, id)}
        onDiscard=${(/** @type {string} */ id) => discard(timeline, id)} />`,
    [timeline, words],
  );
  const onNear = (/** @type {"start" | "end"} */ side) => void timeline.more(side === "start" ? "older" : "newer");

  return html`<div class="timeline">
    ${timeline.failure &&
    html`<div class="timeline-trouble"><${Trouble} text=${timeline.failure} />
      <${Button} icon="reload" onClick=${() => void timeline.open()}>${t("try_again")}<//></div>`}
    ${items.length > 0 &&
    html`<${VirtualList} items=${items} draw=${draw} estimate=${estimate} label=${label} jump=${jump} onNear=${onNear} onShown=${onShown} />`}
    ${items.length === 0 && timeline.opened && html`<div class="timeline-empty"><p>${t("chat_empty")}</p></div>`}
    ${items.length === 0 && !timeline.opened && !timeline.failure && html`<div class="timeline-empty"><p class="late">${t("loading")}</p></div>`}
    ${(!atEnd || timeline.newer) &&
    items.length > 0 &&
    html`<button type="button" class="to-end" onClick=${() => void timeline.latest()} title=${t("to_end")}>
      <${Icon} name="down" />
      ${below > 0 ? html`<span>${t("new_below", { count: below })}</span>` : html`<span class="unseen">${t("to_end")}</span>`}
      ${below > 0 && html`<span class="unseen">${number(below)}</span>`}
    </button>`}
  </div>`;
}

/** @param {Timeline} timeline */
function lastOther(timeline) {
  for (let index = timeline.rows.length - 1; index >= 0; index -= 1) {
    const row = timeline.rows[index];
    if (!("notice" in row) && !row.own) return keyOf(row);
  }
  return "";
}

/**
 * @param {Timeline} timeline
 * @param {string} key
 */
function countBelow(timeline, key) {
  let count = 0;
  for (let index = timeline.rows.length - 1; index >= 0; index -= 1) {
    const row = timeline.rows[index];
    if (keyOf(row) === key) break;
    if (!("notice" in row) && !row.own && row.unread) count += 1;
  }
  return count;
}
