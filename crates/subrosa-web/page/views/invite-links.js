// @ts-check
// Sign-up invitations: codes that let somebody make an account on this server.

import { useState } from "../vendor/hooks.js";
import { t } from "../strings/index.js";
import { useCell } from "../state/cell.js";
import { me } from "../state/person.js";
import { may } from "../state/roles.js";
import { call } from "../state/wire.js";
import { Button, Choice, Copy, Explain, Field, Trouble, useAction, useReading } from "../parts/controls.js";
import { html } from "../parts/html.js";
import { stamp } from "../parts/time.js";

const HOUR = 3600;
const DAY = 24 * HOUR;

export function InviteLinks() {
  const who = useCell(me);
  const allowed = who !== null && may(who.role, "invite");
  const links = useReading(() => (allowed ? call("invite_link_list", {}) : Promise.resolve([])), [allowed]);
  const [uses, setUses] = useState("1");
  const [lasts, setLasts] = useState(String(7 * DAY));
  const making = useAction();
  const ending = useAction();
  if (!allowed) return html`<${Explain} text=${t("why_not_invite")} />`;
  const count = Number(uses);
  const right = Number.isInteger(count) && count >= 1 && count <= 10000;
  const make = (/** @type {globalThis.Event} */ event) => {
    event.preventDefault();
    if (!right) return;
    void making.run(async () => {
      await call("invite_link_create", { uses: count, expires_in: lasts === "" ? null : Number(lasts) });
      links.again();
    });
  };
  return html`<p class="quiet">${t("invite_links_note")}</p>
    <section class="box"><h2>${t("server_link")}</h2>
      <p class="code" dir="ltr">${who.server}</p><${Copy} text=${who.server} label=${t("copy_link")} /></section>
    <form class="box row-form" onSubmit=${make}>
      <${Field} label=${t("invite_uses")} value=${uses} onInput=${setUses} inputmode="numeric" error=${right ? "" : t("invite_uses_wrong")} />
      <${Choice} label=${t("invite_lasts")} value=${lasts} onChange=${setLasts}
        options=${[[String(HOUR), t("one_hour")], [String(DAY), t("one_day")], [String(7 * DAY), t("one_week")], [String(30 * DAY), t("one_month")], ["", t("for_ever")]]} />
      <${Button} type="submit" tone="main" icon="add" busy=${making.busy}>${t("invite_make")}<//>
      <${Trouble} text=${making.failed} />
    </form>
    <${Trouble} text=${links.failed || ending.failed} />
    <ul class="cards" aria-label=${t("invite_links")}>
      ${(links.value ?? []).map(
        (row) => html`<li key=${row.code} class="card">
          <div><p class="code" dir="ltr">${row.code}</p>
            <p class="quiet">${t("invite_left", { count: row.uses_left })} · ${row.expires_at === null ? t("invite_forever") : t("invite_until", { when: stamp(row.expires_at) })}</p>
            <div class="acts"><${Copy} text=${row.code} label=${t("copy_code")} />
              <${Button} tone="danger" busy=${ending.busy} onClick=${() =>
                ending.run(async () => {
                  await call("invite_link_revoke", { code: row.code });
                  links.again();
                })}>${t("invite_end")}<//></div></div>
        </li>`,
      )}
    </ul>
    ${links.value?.length === 0 && html`<p class="quiet empty">${t("invite_none")}</p>`}`;
}
