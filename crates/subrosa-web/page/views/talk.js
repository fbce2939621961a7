// @ts-check
// A room or a direct link: a timeline of this visit, who is there, and what to compare.

import { useEffect, useMemo, useState } from "../vendor/hooks.js";
import { language, number, rich, t } from "../strings/index.js";
import { useCell } from "../state/cell.js";
import { details, go, goInstead } from "../state/route.js";
import { LONGEST } from "../state/sending.js";
import { talkOf, talks } from "../state/talks.js";
import { call } from "../state/wire.js";
import { Avatar } from "../parts/avatar.js";
import { Composer } from "../parts/composer.js";
import { Button, Copy, Explain, IconButton, Name, Trouble, useAction } from "../parts/controls.js";
import { html } from "../parts/html.js";
import { Icon } from "../parts/icons.js";
import { Qr } from "../parts/qr.js";
import { line } from "../parts/safe.js";
import { VirtualList } from "../parts/virtual-list.js";
import { Row, estimate } from "./message.js";

/** @typedef {import("../state/talks.js").Talk} Talk */

/** @param {{here: Talk[]}} props */
export function OpenTalks({ here }) {
  if (here.length === 0) return null;
  return html`<section class="box"><h2>${t("this_visit")}</h2><ul class="people">
    ${here.map(
      (talk) => html`<li key=${talk.id}><${Avatar} name=${talk.title} kind=${talk.kind} size="small" />
        <a class="person-text" href=${`#/${talk.kind}/${talk.id}`}><${Name} class="strong" text=${talk.title} /></a></li>`,
    )}
  </ul></section>`;
}

/** @param {{id: string}} props */
export function TalkView({ id }) {
  useCell(talks);
  const talk = talkOf(id);
  if (!talk) return html`<${Gone} />`;
  return html`<${OpenTalk} key=${id} talk=${talk} />`;
}

function Gone() {
  return html`<div class="page"><div class="timeline-empty"><p>${t("talk_gone")}</p>
    <${Button} onClick=${() => goInstead({ page: "home" })}>${t("back_to_chats")}<//></div></div>`;
}

/** @param {{talk: Talk}} props */
function OpenTalk({ talk }) {
  const version = useCell(talk.version);
  const words = useCell(language);
  const open = useCell(details);
  const [text, setText] = useState("");
  const items = useMemo(() => rows(talk), [talk, version, words]);
  const leaving = useAction();
  useEffect(() => talk.seen(), [version]);
  const room = talk.kind === "room";
  return html`<div class="chat" data-talk=${talk.id}>
    <header class="head">
      <${IconButton} icon="back" label=${t("back_to_chats")} class="narrow-only" onClick=${() => go({ page: "home" })} />
      <${Avatar} name=${talk.title} kind=${talk.kind} />
      <div class="head-text"><h1 tabindex="-1"><${Name} text=${talk.title} /></h1><p class="quiet">${standing(talk)}</p></div>
      <div class="head-tools">
        <button type="button" class="icon-button" data-opens-details aria-label=${t("details")} title=${t("details")} aria-pressed=${open ? "true" : "false"}
          onClick=${() => details.set(!open)}><${Icon} name="info" /></button>
        <${IconButton} icon="leave" label=${room ? t("room_leave") : t("link_leave")} onClick=${() =>
          leaving.run(async () => {
            await talk.leave();
            goInstead({ page: room ? "rooms" : "links" });
          })} />
      </div>
    </header>
    <${Trouble} text=${leaving.failed} />
    ${!room && !talk.joined && !talk.ended && talk.ticket && html`<${Ticket} talk=${talk} />`}
    ${!room && talk.joined && !talk.vouched && talk.proof && html`<${Unvouched} talk=${talk} />`}
    <${Files} talk=${talk} />
    <div class="timeline">
      ${items.length > 0
        ? html`<${VirtualList} items=${items} estimate=${estimate} label=${t("messages_in", { chat: line(talk.title) })} jump=${null}
            draw=${(/** @type {any} */ item) => html`<${Row} key=${item.key} item=${item} language=${words} />`} />`
        : html`<div class="timeline-empty"><p>${room ? t("room_empty") : talk.ticket && !talk.joined ? t("link_waits") : t("link_empty")}</p></div>`}
    </div>
    <div class="foot">
      ${talk.ended
        ? html`<${Explain} text=${rich("talk_ended", { why: html`<bdi>${line(talk.ended.trim())}</bdi>` })} />`
        : html`<${Composer} text=${text} onText=${setText} names=${talk.names.filter((name) => name !== talk.me)} longest=${LONGEST} place=${talk.id}
            label=${room ? t("room_write") : t("link_write")}
            onSend=${(/** @type {string} */ whole) => {
              setText("");
              void talk.say(whole);
            }} />`}
    </div>
  </div>`;
}

/** @param {Talk} talk */
function standing(talk) {
  if (talk.ended) return t("talk_over");
  if (talk.waiting) return rich("talk_waiting_why", { why: html`<bdi>${line(talk.waiting)}</bdi>` });
  if (!talk.joined) return t("talk_nobody");
  if (talk.kind === "room") return t("room_people", { count: talk.names.length });
  return t(talk.via === "relay" ? "link_by_relay" : "link_by_direct", { encryption: talk.encryption });
}

/**
 * @param {Talk} talk
 * @returns {import("./message.js").RowItem[]}
 */
function rows(talk) {
  return talk.rows.map((row, index) => {
    if ("told" in row) {
      const name = html`<${Name} text=${row.name} class="strong" />`;
      return { key: row.id, type: "told", text: row.told ? rich(row.told, { name }) : line(row.text), at: row.at };
    }
    const before = talk.rows[index - 1];
    const after = talk.rows[index + 1];
    return {
      key: row.id,
      id: row.id,
      type: "message",
      own: row.own,
      from: row.from,
      text: row.text,
      at: row.at,
      state: row.own ? row.state : "",
      why: row.why,
      first: !before || "told" in before || before.from !== row.from || before.own !== row.own,
      last: !after || "told" in after || after.from !== row.from || after.own !== row.own,
      marked: false,
      group: talk.kind === "room",
      direct: false,
      size: row.text.length,
    };
  });
}

/** @param {{talk: Talk}} props */
function Ticket({ talk }) {
  return html`<section class="ticket" aria-label=${t("ticket")}>
    <${Qr} text=${talk.ticket} label=${t("ticket_qr")} />
    <div><p>${t("ticket_give")}</p><p class="code small" dir="ltr">${talk.ticket}</p>
      <div class="acts"><${Copy} text=${talk.ticket} label=${t("copy_ticket")} /></div></div>
  </section>`;
}

/** @param {{talk: Talk}} props */
function Unvouched({ talk }) {
  return html`<section class="alarm" aria-label=${t("unvouched_title")}><${Icon} name="warning" />
    <div><h2>${t("unvouched_title")}</h2><p>${t("unvouched_why")}</p>
      <p class="proof words" lang="en" dir="ltr">${talk.proof?.words}</p><p class="proof digits" dir="ltr">${talk.proof?.digits}</p></div></section>`;
}

/**
 * Files that the other side offers; it chose their names.
 * @param {{talk: Talk}} props
 */
function Files({ talk }) {
  const action = useAction();
  const files = [...talk.files.values()];
  if (files.length === 0) return null;
  return html`<section class="files" aria-label=${t("files")}><${Trouble} text=${action.failed} /><ul>
    ${files.map(
      (file) => html`<li key=${`${file.direction}${file.number}`}><${Name} text=${file.name} class="strong one-line" />
        <span class="quiet">${
          file.state === "ended"
            ? html`<bdi>${line(file.path || file.outcome)}</bdi>`
            : file.state === "going"
              ? t("file_part", { done: number(file.done), size: number(file.size) })
              : t("file_size", { size: number(file.size) })
        }</span>
        ${file.direction === "receiving" &&
        file.state === "offered" &&
        html`<${Button} tone="main" onClick=${() => action.run(() => call("direct_accept", { direct: talk.number, number: file.number }))}>${t("accept")}<//>
          <${Button} onClick=${() => action.run(() => call("direct_decline", { direct: talk.number, number: file.number }))}>${t("decline")}<//>`}
      </li>`,
    )}</ul></section>`;
}

/**
 * The right column of a talk.
 * @param {{id: string, over: boolean}} props
 */
export function TalkDetails({ id, over }) {
  useCell(talks);
  const talk = talkOf(id);
  const action = useAction();
  if (!talk) return null;
  const room = talk.kind === "room";
  const heading = over ? "h2" : "h3";
  const compare = () =>
    action.run(async () => {
      if (room) {
        const proof = await call("room_verify", { room: talk.number });
        if (proof) talk.proof = { words: proof.words, digits: "", guests: proof.guests };
        else talk.tell("talk_nobody");
        talk.changed();
      } else await call("direct_verify", { direct: talk.number });
    });
  return html`<div class="details">
    <header class="head"><${over ? "h1" : "h2"} tabindex="-1">${t("details")}<//><${IconButton} icon="close" label=${t("close_details")} onClick=${() => details.set(false)} /></header>
    <div class="details-body">
      <div class="portrait"><${Avatar} name=${talk.title} kind=${talk.kind} size="large" /><p class="portrait-name"><${Name} text=${talk.title} /></p></div>
      ${talk.server && html`<p class="quiet code small" dir="ltr">${talk.server}</p>`}
      ${room &&
      html`<section class="box" aria-label=${t("room_guests")}><${heading}>${t("room_guests")}<//><ul class="people">
        ${talk.names.map(
          (name) => html`<li key=${name}><${Avatar} name=${name} size="small" /><span class="person-text one-line"><${Name} class="strong" text=${name} />
            ${name === talk.me && html` <span class="quiet">${t("you")}</span>`}</span></li>`,
        )}</ul></section>`}
      <section class="box" aria-label=${t("verification")}><${heading}>${t("verification")}<//>
        <p class="quiet">${room ? t("room_verify_note") : !talk.joined && !talk.proof ? t("link_nobody") : talk.vouched ? t("link_vouched") : t("unvouched_why")}</p>
        ${talk.proof && html`<p class="proof words" lang="en" dir="ltr">${talk.proof.words}</p>${talk.proof.digits && html`<p class="proof digits" dir="ltr">${talk.proof.digits}</p>`}`}
        ${room && talk.proof && html`<p class="quiet">${t("room_verify_guests", { count: talk.proof.guests })}</p>`}
        <${Trouble} text=${action.failed} />
        ${talk.joined && html`<${Button} icon="shield" busy=${action.busy} onClick=${compare}>${t("show_words")}<//>`}
      </section>
    </div>
  </div>`;
}
