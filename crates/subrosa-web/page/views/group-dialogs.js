// @ts-check
// Beginning a chat, making a group, adding people to one, and giving it another title.

import { useEffect, useState } from "../vendor/hooks.js";
import { t } from "../strings/index.js";
import { useCell } from "../state/cell.js";
import { readChats, renameChat } from "../state/chats.js";
import { membersOf, readMembers } from "../state/members.js";
import { closeDialog, show } from "../state/overlay.js";
import { me, myRole, people, readPeopleQuietly } from "../state/person.js";
import { may } from "../state/roles.js";
import { go } from "../state/route.js";
import { call } from "../state/wire.js";
import { Avatar } from "../parts/avatar.js";
import { Button, Explain, Field, Name, Trouble, useAction } from "../parts/controls.js";
import { Dialog } from "../parts/dialog.js";
import { html } from "../parts/html.js";
import { arrows } from "../parts/keys.js";

/**
 * Names as people type them: without the sign, which they may write all the same.
 * @param {string} name
 */
function bare(name) {
  return name.trim().replace(/^@/, "");
}

export function NewChat() {
  const [name, setName] = useState("");
  const mine = useCell(me);
  useEffect(readPeopleQuietly, []);
  const everybody = useCell(people).filter((row) => row.name !== mine?.name);
  const wanted = bare(name).toLowerCase();
  const found = everybody.filter((row) => row.name.toLowerCase().includes(wanted));
  const open = (/** @type {string} */ whom) => {
    closeDialog();
    go({ page: "chat", chat: `@${whom}` });
  };
  const allowed = may(myRole(), "create_group");
  return html`<${Dialog} title=${t("new_chat")} onClose=${closeDialog}>
    <form onSubmit=${(/** @type {globalThis.Event} */ event) => {
      event.preventDefault();
      if (bare(name)) open(found.length === 1 ? found[0].name : bare(name));
    }}>
      <${Field} data-first label=${t("whom")} hint=${t("whom_hint")} value=${name} onInput=${setName} required autocapitalize="none" autocomplete="off" spellcheck=${false} />
      <ul class="people pick" onKeyDown=${arrows("button")}>
        ${found.slice(0, 50).map(
          (row) => html`<li key=${row.name}><button type="button" onClick=${() => open(row.name)}>
            <${Avatar} name=${row.name} size="small" /><span class="person-text"><${Name} class="strong" text=${row.name} />
            <span class="quiet">${t(/** @type {any} */ (`role_${row.role}`))}</span></span></button></li>`,
        )}
      </ul>
      ${everybody.length === 0 && html`<p class="quiet">${t("nobody_else")}</p>`}
      <div class="acts">
        <${Button} type="submit" tone="main">${t("open_chat")}<//>
        ${allowed && html`<${Button} icon="group" onClick=${() => show({ kind: "new-group" })}>${t("new_group")}<//>`}
      </div>
      ${!allowed && html`<${Explain} text=${t("why_not_group")} />`}
    </form>
  <//>`;
}

/** @param {{chosen: string[], onChange: (names: string[]) => void, without: string[]}} props */
function PickPeople({ chosen, onChange, without }) {
  const [text, setText] = useState("");
  useEffect(readPeopleQuietly, []);
  const everybody = useCell(people)
    .map((row) => row.name)
    .filter((name) => !without.includes(name));
  const wanted = bare(text).toLowerCase();
  const shown = [...new Set([...chosen, ...everybody])].filter((name) => chosen.includes(name) || name.toLowerCase().includes(wanted));
  const toggle = (/** @type {string} */ name) =>
    onChange(chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name]);
  const add = () => {
    const name = bare(text);
    if (name && !chosen.includes(name)) onChange([...chosen, name]);
    setText("");
  };
  return html`<fieldset class="pick-people">
    <legend class="unseen">${t("members")}</legend>
    <${Field} data-first label=${t("find_people")} hint=${t("find_people_hint")} value=${text} onInput=${setText} autocapitalize="none" autocomplete="off" spellcheck=${false}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
        if (event.key !== "Enter" || bare(text) === "") return;
        event.preventDefault();
        add();
      }} />
    <ul class="people pick" onKeyDown=${arrows("input")}>
      ${shown.slice(0, 100).map(
        (name) => html`<li key=${name}><label>
          <input type="checkbox" checked=${chosen.includes(name)} onChange=${() => toggle(name)} />
          <${Avatar} name=${name} size="small" /><${Name} class="strong" text=${name} /></label></li>`,
      )}
    </ul>
  </fieldset>`;
}

export function NewGroup() {
  const [title, setTitle] = useState("");
  const [chosen, setChosen] = useState(/** @type {string[]} */ ([]));
  const action = useAction();
  const name = me.value?.name ?? "";
  const create = (/** @type {globalThis.Event} */ event) => {
    event.preventDefault();
    void action.run(async () => {
      const made = await call("group_create", { title: title.trim(), members: chosen });
      await readChats();
      closeDialog();
      go({ page: "chat", chat: `#${made.title}` });
    });
  };
  return html`<${Dialog} title=${t("new_group")} onClose=${closeDialog}>
    <form onSubmit=${create}>
      <${Field} data-first label=${t("group_title")} value=${title} onInput=${setTitle} required />
      <${PickPeople} chosen=${chosen} onChange=${setChosen} without=${[name]} />
      <p class="quiet">${t("invited_note")}</p>
      <${Trouble} text=${action.failed} />
      <div class="acts"><${Button} type="submit" tone="main" icon="group" busy=${action.busy}>${t("create_group")}<//>
        <${Button} onClick=${closeDialog}>${t("cancel")}<//></div>
    </form>
  <//>`;
}

/** @param {{group: string}} props */
export function AddMembers({ group }) {
  const [chosen, setChosen] = useState(/** @type {string[]} */ ([]));
  const members = useCell(membersOf(group));
  const action = useAction();
  const add = (/** @type {globalThis.Event} */ event) => {
    event.preventDefault();
    void action.run(async () => {
      await call("group_add", { group, members: chosen });
      await readMembers(group);
      closeDialog();
    });
  };
  return html`<${Dialog} title=${t("add_members")} onClose=${closeDialog}>
    <form onSubmit=${add}>
      <${PickPeople} chosen=${chosen} onChange=${setChosen} without=${(members.rows ?? []).map((row) => row.name)} />
      <p class="quiet">${t("invited_note")}</p>
      <${Trouble} text=${action.failed} />
      <div class="acts">
        <${Button} type="submit" tone="main" icon="add" busy=${action.busy} disabled=${action.busy || chosen.length === 0}>${t("add_count", { count: chosen.length })}<//>
        <${Button} onClick=${closeDialog}>${t("cancel")}<//></div>
    </form>
  <//>`;
}

/** @param {{group: string}} props */
export function RenameGroup({ group }) {
  const [title, setTitle] = useState(group.slice(1));
  const action = useAction();
  const rename = (/** @type {globalThis.Event} */ event) => {
    event.preventDefault();
    void action.run(async () => {
      const now = await call("group_rename", { group, title: title.trim() });
      renameChat(group, `#${now.title}`);
      await readChats();
      closeDialog();
    });
  };
  return html`<${Dialog} title=${t("rename_group")} onClose=${closeDialog}>
    <form onSubmit=${rename}>
      <${Field} data-first label=${t("group_title")} value=${title} onInput=${setTitle} required />
      <${Trouble} text=${action.failed} />
      <div class="acts"><${Button} type="submit" tone="main" busy=${action.busy}>${t("rename")}<//>
        <${Button} onClick=${closeDialog}>${t("cancel")}<//></div>
    </form>
  <//>`;
}
