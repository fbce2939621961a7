// @ts-check
// Everybody on the server: roles, what each role may, the log of changes, and invitations to sign up.

import { useState } from "../vendor/hooks.js";
import { number, rich, t } from "../strings/index.js";
import { useCell } from "../state/cell.js";
import { show } from "../state/overlay.js";
import { note } from "../state/overlay.js";
import { me, people, readPeople } from "../state/person.js";
import { ABILITIES, ROLES, gives, may } from "../state/roles.js";
import { go } from "../state/route.js";
import { call } from "../state/wire.js";
import { Avatar } from "../parts/avatar.js";
import { Button, Explain, IconButton, Name, Trouble, useAction, useReading } from "../parts/controls.js";
import { html } from "../parts/html.js";
import { Icon } from "../parts/icons.js";
import { stamp } from "../parts/time.js";
import { InviteLinks } from "./invite-links.js";
import { Page } from "./page.js";

/** @typedef {import("../api.js").Role} Role */
/** @typedef {import("../api.js").RoleRow} RoleRow */

/** @param {Role} role */
const called = (role) => t(/** @type {any} */ (`role_${role}`));

/** @param {{part: string}} props */
export function People({ part }) {
  return html`<${Page} title=${t("people")} page="people" part=${part}
    parts=${[["", t("roles")], ["may", t("what_roles_may")], ["log", t("role_log")], ["links", t("invite_links")]]}>
    ${part === "may" ? html`<${Table} />` : part === "log" ? html`<${Log} />` : part === "links" ? html`<${InviteLinks} />` : html`<${Roles} />`}
  <//>`;
}

function Roles() {
  const rows = useCell(people);
  const mine = useCell(me);
  const reading = useReading(readPeople, []);
  const sorted = [...rows].sort((a, b) => ROLES.indexOf(b.role) - ROLES.indexOf(a.role) || a.name.localeCompare(b.name));
  return html`<${Trouble} text=${reading.failed} />
    ${mine && !may(mine.role, "add_advanced") && html`<${Explain} text=${t("why_not_roles")} />`}
    <ul class="people big" aria-label=${t("people")}>
      ${sorted.map((row) => html`<li key=${row.name}><${Person} row=${row} own=${row.name === mine?.name} mine=${mine?.role ?? "beginner"} /></li>`)}
    </ul>`;
}

/** @param {{row: RoleRow, own: boolean, mine: Role}} props */
function Person({ row, own, mine }) {
  const action = useAction();
  const can = own ? [] : gives(mine, row.role);
  const name = html`<${Name} text=${row.name} class="strong" />`;
  const set = (/** @type {Role} */ role) =>
    action.run(async () => {
      await call("role_set", { name: row.name, role });
      await readPeople();
    });
  const handOver = () =>
    show({
      kind: "confirm",
      title: t("hand_over_title"),
      text: rich("hand_over_text", { name }),
      act: t("hand_over"),
      danger: true,
      run: async () => {
        const { waits_for_acceptance: waits } = await call("role_set", { name: row.name, role: "super-admin" });
        await readPeople();
        note(waits ? t("hand_over_waits", { name: row.name }) : t("hand_over_done"), "good");
      },
    });
  return html`<${Avatar} name=${row.name} />
    <span class="person-text">
      <span class="one-line">${name}${own && html` <span class="quiet">${t("you")}</span>`}</span>
      <span class="quiet">${called(row.role)}</span>
      <${Trouble} text=${action.failed} />
    </span>
    <span class="person-acts">
      ${can.length > 0 &&
      html`<label><span class="unseen">${t("role_of", { name: row.name })}</span>
        <select class="input" value=${row.role} disabled=${action.busy} data-role-of=${row.name}
          onChange=${(/** @type {any} */ event) => void set(event.currentTarget.value)}>
          ${ROLES.filter((role) => role === row.role || can.includes(role)).map(
            (role) => html`<option key=${role} value=${role} selected=${role === row.role}>${called(role)}</option>`,
          )}
        </select></label>`}
      ${mine === "super-admin" && !own && html`<${IconButton} icon="key" label=${t("hand_over_to", { name: row.name })} onClick=${handOver} />`}
      ${!own && html`<${IconButton} icon="send" label=${t("write_to", { chat: row.name })} onClick=${() => go({ page: "chat", chat: `@${row.name}` })} />`}
    </span>`;
}

function Table() {
  const mine = useCell(me)?.role;
  const order = [...ROLES].reverse();
  return html`<p class="quiet">${t("roles_note")}</p>
    <div class="table" role="region" aria-label=${t("what_roles_may")} tabindex="0"><table>
      <thead><tr><th scope="col">${t("ability")}</th>
        ${order.map((role) => html`<th key=${role} scope="col" class=${role === mine ? "mine" : ""}>${called(role)}${role === mine && html`<span class="unseen"> ${t("you")}</span>`}</th>`)}</tr></thead>
      <tbody>
        ${ABILITIES.map(
          (ability) => html`<tr key=${ability}><th scope="row">${t(/** @type {any} */ (`may_${ability}`))}</th>
            ${order.map(
              (role) => html`<td key=${role} class=${role === mine ? "mine" : ""}>${
                may(role, ability)
                  ? html`<${Icon} name="check" /><span class="unseen">${t("yes")}</span>`
                  : html`<span aria-hidden="true">–</span><span class="unseen">${t("no")}</span>`
              }</td>`,
            )}</tr>`,
        )}
      </tbody>
    </table></div>`;
}

function Log() {
  const role = useCell(me)?.role ?? "beginner";
  const allowed = may(role, "read_audit");
  const [whole, setWhole] = useState(false);
  const log = useReading(() => (allowed ? call("role_log", {}) : Promise.resolve([])), [allowed]);
  if (!allowed) return html`<${Explain} text=${t("why_not_log")} />`;
  const rows = [...(log.value ?? [])].reverse();
  const shown = whole ? rows : rows.slice(0, 200);
  return html`<p class="quiet">${t("role_log_note")}</p><${Trouble} text=${log.failed} />
    <ol class="log">
      ${shown.map((row) => {
        const name = html`<${Name} text=${row.name} class="strong" />`;
        const by = html`<${Name} text=${row.by} class="strong" />`;
        const role_now = html`<span class="strong">${called(row.role)}</span>`;
        const key = { joined: "log_joined", set: "log_set", handed_over: "log_handed_over", new_key: "log_new_key" }[row.what] ?? "log_other";
        return html`<li key=${row.position}><span class="quiet">${number(row.position)}</span>
          <span>${rich(/** @type {any} */ (key), { name, by, role: role_now })}</span><time class="quiet">${stamp(row.at)}</time></li>`;
      })}
    </ol>
    ${shown.length < rows.length && html`<${Button} onClick=${() => setWhole(true)}>${t("show_all", { count: rows.length })}<//>`}`;
}
