// @ts-check
// The dialogs, by their kind.

import { t } from "../strings/index.js";
import { useCell } from "../state/cell.js";
import { closeDialog, dialog } from "../state/overlay.js";
import { Button, Trouble, useAction } from "../parts/controls.js";
import { Dialog } from "../parts/dialog.js";
import { html } from "../parts/html.js";
import { APPLE } from "../parts/keys.js";
import { AddMembers, NewChat, NewGroup, RenameGroup } from "./group-dialogs.js";
import { Switcher } from "./switcher.js";
import { Verify } from "./verify.js";

export function Dialogs() {
  const now = useCell(dialog);
  if (!now) return null;
  switch (now.kind) {
    case "switcher":
      return html`<${Switcher} />`;
    case "shortcuts":
      return html`<${Shortcuts} />`;
    case "new-chat":
      return html`<${NewChat} />`;
    case "new-group":
      return html`<${NewGroup} />`;
    case "verify":
      return html`<${Verify} key=${now.name} name=${now.name} />`;
    case "add-members":
      return html`<${AddMembers} group=${now.group} />`;
    case "rename-group":
      return html`<${RenameGroup} group=${now.group} />`;
    default:
      return html`<${Confirm} ask=${now} />`;
  }
}

/** @param {{ask: any}} props */
function Confirm({ ask }) {
  const action = useAction();
  const run = async () => {
    if (await action.run(ask.run)) closeDialog();
  };
  return html`<${Dialog} title=${ask.title} onClose=${closeDialog}>
    <p>${ask.text}</p>
    <${Trouble} text=${action.failed} />
    <div class="acts">
      <${Button} tone=${ask.danger ? "danger-main" : "main"} busy=${action.busy} onClick=${run}>${ask.act}<//>
      <${Button} onClick=${closeDialog}>${t("cancel")}<//>
    </div>
  <//>`;
}

function Shortcuts() {
  const command = APPLE ? "⌘" : "Ctrl";
  /** @type {[string[], import("../strings/index.js").Key][]} */
  const rows = [
    [[command, "K"], "key_switcher"],
    [["Alt", "↑"], "key_before"],
    [["Alt", "↓"], "key_next"],
    [["Alt", "A"], "key_unread"],
    [["Alt", "F"], "key_find"],
    [["Alt", "I"], "key_details"],
    [["Enter"], "key_send"],
    [["Shift", "Enter"], "key_line"],
    [["@"], "key_name"],
    [[":"], "key_emoji"],
    [["Esc"], "key_close"],
    [["?"], "key_help"],
  ];
  return html`<${Dialog} title=${t("shortcuts")} onClose=${closeDialog}>
    <dl class="shortcuts">
      ${rows.map(
        ([keys, what]) => html`<div key=${what}><dt>${keys.map((key) => html`<kbd key=${key}>${key}</kbd>`)}</dt><dd>${t(what)}</dd></div>`,
      )}
    </dl>
  <//>`;
}
