// @ts-check
// What waits for an answer: invitations to groups, first messages of strangers, an offered role.

import { rich, t } from "../strings/index.js";
import { useCell } from "../state/cell.js";
import { invites, readChats, readInvites } from "../state/chats.js";
import { readPeople } from "../state/person.js";
import { go } from "../state/route.js";
import { call } from "../state/wire.js";
import { Avatar } from "../parts/avatar.js";
import { Button, Name, Trouble, useAction } from "../parts/controls.js";
import { html } from "../parts/html.js";
import { Page } from "./page.js";

/** @typedef {import("../api.js").InviteRow} InviteRow */

export function Requests() {
  const rows = useCell(invites);
  return html`<${Page} title=${t("requests")} note=${t("requests_note")}>
    ${rows.length === 0
      ? html`<p class="quiet empty">${t("requests_none")}</p>`
      : html`<ul class="cards">${rows.map((row) => html`<li key=${row.id}><${Card} row=${row} /></li>`)}</ul>`}
  <//>`;
}

/** @param {{row: InviteRow}} props */
export function Card({ row }) {
  const accepting = useAction();
  const declining = useAction();
  const answer = (/** @type {"accept" | "decline"} */ what) => async () => {
    await call(what, { id: row.id });
    await Promise.all([readInvites(), readChats()]);
    if (what === "decline") return;
    if (row.kind === "role") await readPeople();
    else go({ page: "chat", chat: row.chat });
  };
  const name = html`<${Name} text=${row.from} class="strong" />`;
  const chat = html`<${Name} text=${row.chat.replace(/^[#@]/, "")} class="strong" />`;
  const text =
    row.kind === "group" ? rich("asks_group", { name, chat }) : row.kind === "request" ? rich("asks_chat", { name }) : rich("asks_role", { name });
  const why = row.kind === "group" ? t("asks_group_why") : row.kind === "request" ? t("asks_chat_why") : t("asks_role_why");
  return html`<article class="card" data-invite=${row.kind}>
    <${Avatar} name=${row.kind === "group" ? row.chat : row.from} kind=${row.kind === "group" ? "group" : "person"} />
    <div><p>${text}</p><p class="quiet">${why}</p>
      <${Trouble} text=${accepting.failed || declining.failed} />
      <div class="acts">
        <${Button} tone="main" icon="check" busy=${accepting.busy} onClick=${() => accepting.run(answer("accept"))}>${t("accept")}<//>
        <${Button} busy=${declining.busy} onClick=${() => declining.run(answer("decline"))}>${t("decline")}<//>
      </div></div>
  </article>`;
}
