// @ts-check
// Settings: how the page looks and speaks, of what it tells, direct links, devices, and leaving.

import { useState } from "../vendor/hooks.js";
import { rich, t } from "../strings/index.js";
import { useCell } from "../state/cell.js";
import { wanted } from "../state/notify.js";
import { show } from "../state/overlay.js";
import { me } from "../state/person.js";
import { hello, logOut } from "../state/session.js";
import { set, settings } from "../state/settings.js";
import { call } from "../state/wire.js";
import { Button, Copy, Explain, Name, Segments, Trouble, useAction, useReading } from "../parts/controls.js";
import { html } from "../parts/html.js";
import { Icon } from "../parts/icons.js";
import { stamp } from "../parts/time.js";
import { Page } from "./page.js";

/** @param {{part: string}} props */
export function Settings({ part }) {
  return html`<${Page} title=${t("settings")} page="settings" part=${part}
    parts=${[["", t("general")], ["devices", t("devices")], ["account", t("account")]]}>
    ${part === "devices" ? html`<${Devices} />` : part === "account" ? html`<${Account} />` : html`<${General} />`}
  <//>`;
}

function General() {
  const now = useCell(settings);
  const action = useAction();
  const change = (/** @type {string} */ name) => (/** @type {string} */ value) => void action.run(() => set(name, value));
  return html`<${Trouble} text=${action.failed} />
    <section class="box">
      <${Segments} label=${t("language")} value=${now.language ?? "auto"} onChange=${change("language")}
        options=${[["auto", t("as_browser")], ["en", "English"], ["fa", "فارسی"]]} />
      <${Segments} label=${t("theme")} value=${now.theme ?? "auto"} onChange=${change("theme")}
        options=${[["auto", t("as_system")], ["light", t("light")], ["dark", t("dark")]]} />
    </section>
    <${Notifications} action=${action} />
    <${DirectLinks} />`;
}

/** @param {{action: any}} props */
function Notifications({ action }) {
  useCell(settings);
  const [refused, setRefused] = useState("Notification" in window && Notification.permission === "denied");
  const change = (/** @type {string} */ value) =>
    void action.run(async () => {
      if (value !== "none" && "Notification" in window && Notification.permission === "default") await Notification.requestPermission();
      setRefused("Notification" in window && Notification.permission === "denied");
      await set("notify", value);
    });
  return html`<section class="box">
    <${Segments} label=${t("notifications")} value=${wanted()} onChange=${change}
      options=${[["all", t("notify_all")], ["mentions", t("notify_mentions")], ["none", t("notify_none")]]} />
    ${refused && wanted() !== "none" && html`<${Explain} text=${t("notify_refused")} />`}
  </section>`;
}

function DirectLinks() {
  const policy = useReading(() => call("direct", { policy: null }), []);
  const action = useAction();
  const change = (/** @type {any} */ value) =>
    void action.run(async () => {
      await call("direct", { policy: value });
      policy.again();
    });
  return html`<section class="box">
    ${policy.value &&
    html`<${Segments} label=${t("direct_links")} value=${policy.value} onChange=${change}
      options=${[["contacts", t("direct_contacts")], ["always", t("direct_always")], ["never", t("direct_never")]]} />`}
    <p class="quiet">${t("direct_note")}</p>
    <${Trouble} text=${policy.failed || action.failed} />
  </section>`;
}

function Devices() {
  const devices = useReading(() => call("devices", {}), []);
  const revoke = (/** @type {import("../api.js").DeviceRow} */ row) =>
    show({
      kind: "confirm",
      title: t("revoke_title"),
      text: rich("revoke_text", { device: html`<${Name} text=${row.name} class="strong" />` }),
      act: t("revoke"),
      danger: true,
      run: async () => {
        await call("revoke_device", { device: row.id });
        devices.again();
      },
    });
  return html`<p class="quiet">${t("devices_note")}</p><${Trouble} text=${devices.failed} />
    <ul class="cards" aria-label=${t("devices")}>
      ${(devices.value ?? []).map(
        (row) => html`<li key=${row.id} class="card"><${Icon} name="device" size="large" />
          <div><p><${Name} text=${row.name} class="strong" /> ${row.this && html`<span class="tag">${t("this_device")}</span>`}</p>
            <p class="quiet">${t("enrolled_at", { when: stamp(row.enrolled_at) })}</p></div>
          ${!row.this && html`<${Button} tone="danger" onClick=${() => revoke(row)}>${t("revoke")}<//>`}</li>`,
      )}
    </ul>`;
}

function Account() {
  const who = useCell(me);
  const about = useCell(hello);
  const ask = () =>
    show({
      kind: "confirm",
      title: t("log_out_title"),
      text: t("log_out_text"),
      act: t("log_out"),
      danger: true,
      run: logOut,
    });
  if (!who) return null;
  return html`<section class="box"><dl class="facts">
      <div><dt>${t("name")}</dt><dd><${Name} text=${`@${who.name}`} /></dd></div>
      <div><dt>${t("role")}</dt><dd>${t(/** @type {any} */ (`role_${who.role}`))}</dd></div>
      <div><dt>${t("server_link")}</dt><dd class="code" dir="ltr">${who.server}</dd></div>
      <div><dt>${t("version")}</dt><dd dir="ltr">Subrosa ${about?.version}</dd></div>
    </dl><${Copy} text=${who.server} label=${t("copy_link")} /></section>
    <section class="box"><p class="quiet">${t("log_out_text")}</p><${Button} tone="danger" icon="leave" onClick=${ask}>${t("log_out")}<//></section>`;
}
