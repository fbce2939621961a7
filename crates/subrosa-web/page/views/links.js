// @ts-check
// Direct links: two people, no account, no server that keeps anything. One listens and gives the other a ticket.

import { useState } from "../vendor/hooks.js";
import { t } from "../strings/index.js";
import { useCell } from "../state/cell.js";
import { go } from "../state/route.js";
import { Talk, addTalk, talks } from "../state/talks.js";
import { call } from "../state/wire.js";
import { Button, Choice, Field, Tick, Trouble, useAction } from "../parts/controls.js";
import { html } from "../parts/html.js";
import { Page } from "./page.js";
import { OpenTalks } from "./talk.js";

export function Links() {
  const here = useCell(talks).filter((talk) => talk.kind === "link");
  return html`<${Page} title=${t("links")} note=${t("links_note")}>
    <div class="halves"><${Listen} /><${Dial} /></div>
    <${OpenTalks} here=${here} />
  <//>`;
}

/**
 * @param {number} number
 * @param {string} title
 */
function open(number, title) {
  const talk = new Talk("link", number, title);
  addTalk(talk);
  go({ page: "link", talk: talk.id });
}

function Listen() {
  const [transport, setTransport] = useState("quic");
  const [encryption, setEncryption] = useState("mls");
  const [relay, setRelay] = useState("");
  const [only, setOnly] = useState(false);
  const [port, setPort] = useState(false);
  const action = useAction();
  const listen = (/** @type {globalThis.Event} */ event) => {
    event.preventDefault();
    void action.run(async () => {
      const { direct } = await call("direct_listen", {
        transport: /** @type {"quic" | "tcp"} */ (transport),
        encryption,
        ...(relay.trim() && { relay: relay.trim() }),
        ...(only && { ticket_only: true }),
        ...(port && { open_port: true }),
      });
      open(direct, t("link_listening"));
    });
  };
  return html`<form class="box" onSubmit=${listen}>
    <h2>${t("listen")}</h2><p class="quiet">${t("listen_note")}</p>
    <details class="more"><summary>${t("more_choices")}</summary>
      <${Choice} label=${t("transport")} value=${transport} onChange=${setTransport} options=${[["quic", t("transport_quic")], ["tcp", t("transport_tcp")]]} />
      <${Choice} label=${t("encryption")} value=${encryption} onChange=${setEncryption} options=${[["mls", t("encryption_mls")], ["rsa", t("encryption_rsa")]]} />
      <${Field} label=${t("relay")} hint=${t("relay_hint")} value=${relay} onInput=${setRelay} dir="ltr" spellcheck=${false} />
      <${Tick} label=${t("ticket_only")} hint=${t("ticket_only_hint")} checked=${only} onChange=${setOnly} />
      <${Tick} label=${t("open_port")} hint=${t("open_port_hint")} checked=${port} onChange=${setPort} />
    </details>
    <${Trouble} text=${action.failed} />
    <${Button} type="submit" tone="main" icon="link" busy=${action.busy}>${t("make_ticket")}<//>
  </form>`;
}

function Dial() {
  const [encryption, setEncryption] = useState("");
  const [ticket, setTicket] = useState("");
  const action = useAction();
  const dial = (/** @type {globalThis.Event} */ event) => {
    event.preventDefault();
    void action.run(async () => {
      const { direct } = await call("direct_dial", {
        ticket: ticket.trim(),
        ...(encryption && { encryption }),
      });
      open(direct, t("link_dialled"));
    });
  };
  return html`<form class="box" onSubmit=${dial}>
    <h2>${t("dial")}</h2><p class="quiet">${t("dial_note")}</p>
    <${Field} label=${t("ticket")} multiline required value=${ticket} onInput=${setTicket} dir="ltr" spellcheck=${false} autocomplete="off" />
    <details class="more"><summary>${t("more_choices")}</summary>
      <${Choice} label=${t("encryption")} value=${encryption} onChange=${setEncryption}
        options=${[["", t("encryption_ticket")], ["mls", t("encryption_mls")], ["rsa", t("encryption_rsa")]]} />
    </details>
    <${Trouble} text=${action.failed} />
    <${Button} type="submit" tone="main" icon="link" busy=${action.busy}>${t("dial_now")}<//>
  </form>`;
}
