// @ts-check
// Comparing the safety number: both people see the same, or somebody stands between them.

import { useState } from "../vendor/hooks.js";
import { rich, t } from "../strings/index.js";
import { readChangedKeys, readChats } from "../state/chats.js";
import { readKnownMembers } from "../state/members.js";
import { closeDialog, note } from "../state/overlay.js";
import { compared } from "../state/person.js";
import { call } from "../state/wire.js";
import { Button, Copy, Field, Name, Trouble, useAction, useReading } from "../parts/controls.js";
import { Dialog } from "../parts/dialog.js";
import { html } from "../parts/html.js";
import { Icon } from "../parts/icons.js";
import { Qr } from "../parts/qr.js";

/** @param {{name: string}} props */
export function Verify({ name }) {
  const proof = useReading(() => call("verify", { name, confirm: false }), [name]);
  const [uri, setUri] = useState("");
  const confirming = useAction();
  const comparing = useAction();
  const who = html`<${Name} text=${name} class="strong" />`;
  const done = async () => {
    note(t("compared_now", { name }), "good");
    closeDialog();
    await Promise.all([readChangedKeys(), readChats()]);
    readKnownMembers();
    compared.update((count) => count + 1);
  };
  const compare = (/** @type {globalThis.Event} */ event) => {
    event.preventDefault();
    void comparing.run(async () => {
      await call("compare", { name, uri: uri.trim() });
      await done();
    });
  };
  const confirm = () =>
    confirming.run(async () => {
      await call("verify", { name, confirm: true });
      await done();
    });
  const { value } = proof;
  return html`<${Dialog} title=${rich("verify_title", { name: html`<${Name} text=${name} />` })} onClose=${closeDialog} class="wide">
    <p>${rich("verify_how", { name: who })}</p>
    <${Trouble} text=${proof.failed} />
    ${value &&
    html`
      ${value.changed && html`<p class="trouble"><${Icon} name="warning" /><span>${t("verify_changed")}</span></p>`}
      ${value.verified && html`<p class="fact good"><${Icon} name="shield" />${t("compared")}</p>`}
      <div class="verify">
        <figure><${Qr} text=${value.uri} label=${t("verify_qr")} /><figcaption class="quiet">${t("verify_qr_note")}</figcaption>
          <${Copy} text=${value.uri} label=${t("copy_code")} /></figure>
        <div>
          <h3>${t("verify_words")}</h3>
          <p class="proof words" lang="en" dir="ltr">${value.words}</p>
          <h3>${t("verify_digits")}</h3>
          <p class="proof digits" dir="ltr">${value.digits}</p>
        </div>
      </div>
      <${Trouble} text=${confirming.failed} />
      ${(!value.verified || value.changed) &&
      html`<div class="acts"><${Button} tone="main" icon="check" busy=${confirming.busy} onClick=${confirm}>${t("verify_same")}<//>
        <${Button} onClick=${closeDialog}>${t("verify_later")}<//></div>
      <p class="quiet">${t("verify_differ")}</p>`}
      <form class="box" onSubmit=${compare}>
        <${Field} label=${t("verify_paste")} hint=${t("verify_paste_hint")} value=${uri} onInput=${setUri} required dir="ltr" autocomplete="off" spellcheck=${false} />
        <${Trouble} text=${comparing.failed} />
        <${Button} type="submit" busy=${comparing.busy}>${t("verify_compare")}<//>
      </form>`}
  <//>`;
}
