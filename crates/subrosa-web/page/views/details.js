// @ts-check
// The right column: what can be known and done about the open chat.

import { rich, t } from "../strings/index.js";
import { useCell } from "../state/cell.js";
import { chats, direct, readChats } from "../state/chats.js";
import { membersOf, readMembers } from "../state/members.js";
import { show } from "../state/overlay.js";
import { compared, me, myRole, people } from "../state/person.js";
import { may } from "../state/roles.js";
import { details, go, goInstead } from "../state/route.js";
import { call } from "../state/wire.js";
import { Avatar } from "../parts/avatar.js";
import { Button, Explain, IconButton, Name, Trouble, useAction, useReading } from "../parts/controls.js";
import { html } from "../parts/html.js";
import { Icon } from "../parts/icons.js";

/** @param {{target: string, over: boolean}} props `over`: it covers the chat */
export function Details({ target, over }) {
  const group = target.startsWith("#");
  return html`<div class="details">
    <header class="head"><${over ? "h1" : "h2"} tabindex="-1">${t("details")}<//>
      <${IconButton} icon="close" label=${t("close_details")} onClick=${() => details.set(false)} /></header>
    <div class="details-body">
      <div class="portrait"><${Avatar} name=${target} kind=${group ? "group" : "person"} size="large" />
        <p class="portrait-name"><${Name} text=${target.slice(1)} /></p></div>
      ${group ? html`<${Group} target=${target} heading=${over ? "h2" : "h3"} />` : html`<${Person} key=${target} name=${target.slice(1)} />`}
    </div>
  </div>`;
}

/** @param {{name: string}} props */
function Person({ name }) {
  const up = useCell(direct).has(`@${name}`);
  const role = useCell(people).find((row) => row.name === name)?.role;
  const begun = useCell(chats).some((row) => row.chat === `@${name}`);
  const proof = useReading(() => call("verify", { name, confirm: false }), [name, begun, useCell(compared)]);
  return html`
    ${role && html`<p class="fact"><${Icon} name="person" />${t(/** @type {any} */ (`role_${role}`))}</p>`}
    <p class="fact"><${Icon} name="link" />${up ? t("way_direct") : t("way_server")}</p>
    <section class="box" aria-label=${t("verification")}>
      ${proof.value?.verified
        ? html`<p class="fact good"><${Icon} name="shield" />${t("compared")}</p>`
        : html`<p class="fact"><${Icon} name="shield" />${t("not_compared")}</p><p class="quiet">${t("compare_why")}</p>`}
      <${Trouble} text=${proof.failed} />
      <${Button} icon="shield" onClick=${() => show({ kind: "verify", name })}>${t("compare_number")}<//>
    </section>`;
}

/** @param {{target: string, heading: string}} props */
function Group({ target, heading }) {
  const members = useCell(membersOf(target));
  const mine = useCell(me);
  const allowed = may(myRole(), "change_members");
  const leave = () =>
    show({
      kind: "confirm",
      title: t("leave_title"),
      text: rich("leave_text", { group: html`<${Name} text=${target.slice(1)} class="strong" />` }),
      act: t("leave_group"),
      danger: true,
      run: async () => {
        await call("group_leave", { group: target });
        await readChats();
        goInstead({ page: "home" });
      },
    });
  return html`
    <section class="box" aria-label=${t("members")}>
      <${heading}>${t("members")}<//>
      <${Trouble} text=${members.failed} />
      ${members.rows === null && !members.failed && html`<p class="quiet">${t("loading")}</p>`}
      <ul class="people">
        ${(members.rows ?? []).map(
          (row) => html`<li key=${row.name}><${Member} row=${row} target=${target} own=${row.name === mine?.name} allowed=${allowed} /></li>`,
        )}
      </ul>
    </section>
    <section class="box" aria-label=${t("group_acts")}>
      ${allowed
        ? html`<${Button} icon="add" onClick=${() => show({ kind: "add-members", group: target })}>${t("add_members")}<//>
            <${Button} icon="pen" onClick=${() => show({ kind: "rename-group", group: target })}>${t("rename_group")}<//>`
        : html`<${Explain} text=${t("why_not_members")} />`}
      <${Button} icon="leave" tone="danger" onClick=${leave}>${t("leave_group")}<//>
    </section>`;
}

/** @param {{row: import("../api.js").MemberRow, target: string, own: boolean, allowed: boolean}} props */
function Member({ row, target, own, allowed }) {
  const action = useAction();
  const remove = () =>
    show({
      kind: "confirm",
      title: t("remove_title"),
      text: rich("remove_text", { name: html`<${Name} text=${row.name} class="strong" />` }),
      act: t("remove"),
      danger: true,
      run: async () => {
        await call("group_remove", { group: target, members: [row.name] });
        await readMembers(target);
      },
    });
  return html`<${Avatar} name=${row.name} size="small" />
    <span class="person-text">
      <span class="one-line">
        ${own
          ? html`<${Name} text=${row.name} class="strong" /> <span class="quiet">${t("you")}</span>`
          : html`<a href=${`#/chat/${encodeURIComponent(`@${row.name}`)}`} onClick=${() => go({ page: "chat", chat: `@${row.name}` })}><${Name} text=${row.name} class="strong" /></a>`}
        ${row.verified && !own && html`<span class="good" title=${t("compared")}><${Icon} name="shield" /><span class="unseen">${t("compared")}</span></span>`}
      </span>
      <span class="quiet">${t(/** @type {any} */ (`role_${row.role}`))} · ${t("count_devices", { count: row.devices })}</span>
      <${Trouble} text=${action.failed} />
    </span>
    ${allowed && !own && html`<${IconButton} icon="close" label=${t("remove_name", { name: row.name })} onClick=${remove} />`}`;
}
