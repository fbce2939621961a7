// @ts-check
// From nothing to an account: sign up, log in as a further device, or begin a server of one's own.

import { useState } from "../vendor/hooks.js";
import { t } from "../strings/index.js";
import { useCell } from "../state/cell.js";
import { enter, hello, trouble } from "../state/session.js";
import { settings, tryOut } from "../state/settings.js";
import { call } from "../state/wire.js";
import { Button, Explain, Field, Segments, Tick, Trouble, useAction } from "../parts/controls.js";
import { html } from "../parts/html.js";
import { Icon, Rose } from "../parts/icons.js";
import { line } from "../parts/safe.js";

/** @typedef {"choose" | "sign-up" | "log-in"} Step */

export function FirstRun() {
  const about = useCell(hello);
  const reason = useCell(trouble);
  const [step, setStep] = useState(/** @type {Step} */ ("choose"));
  const [server, setServer] = useState("");
  const [hosted, setHosted] = useState(false);
  const starting = useAction();
  const host = () =>
    starting.run(async () => {
      const { link } = await call("start_server", {});
      setServer(link);
      setHosted(true);
      setStep("sign-up");
    });
  const back = () => {
    setStep("choose");
    setHosted(false);
  };
  return html`<main class="first-run">
    <div class="first-card">
      <header><${Rose} /><h1>${t("app_name")}</h1><p class="quiet">${t("tagline")}</p></header>
      ${reason && html`<p class="trouble" role="status"><${Icon} name="info" /><span dir="auto">${line(reason)}</span></p>`}
      ${step === "choose" &&
      html`<div class="ways">
        ${about?.profile === "logged_out" && !reason && html`<${Explain} text=${t("logged_out_note")} />`}
        <${Way} icon="person" title=${t("way_sign_up")} note=${t("way_sign_up_note")} onClick=${() => setStep("sign-up")} />
        <${Way} icon="device" title=${t("way_log_in")} note=${t("way_log_in_note")} onClick=${() => setStep("log-in")} />
        ${about?.can_start_server &&
        html`<${Way} icon="key" title=${t("way_host")} note=${t("way_host_note")} busy=${starting.busy} onClick=${host} />`}
        <${Trouble} text=${starting.failed} />
      </div>`}
      ${step === "sign-up" && html`<${SignUp} server=${server} hosted=${hosted} onBack=${back} />`}
      ${step === "log-in" && html`<${LogIn} onBack=${back} />`}
    </div>
    <${Looks} />
  </main>`;
}

/** @param {{icon: any, title: string, note: string, onClick: () => void, busy?: boolean}} props */
function Way({ icon, title, note, onClick, busy }) {
  return html`<button type="button" class="way-button" onClick=${onClick} aria-busy=${busy ? "true" : undefined} disabled=${busy}>
    <${Icon} name=${icon} size="large" /><span><span class="strong">${title}</span><span class="quiet">${note}</span></span>
  </button>`;
}

/** Language and colours can be chosen before there is an account. */
function Looks() {
  const now = useCell(settings);
  return html`<div class="looks">
    <${Segments} label=${t("language")} value=${now.language ?? "auto"} onChange=${(/** @type {string} */ value) => tryOut("language", value)}
      options=${[["auto", t("as_browser")], ["en", "English"], ["fa", "فارسی"]]} />
    <${Segments} label=${t("theme")} value=${now.theme ?? "auto"} onChange=${(/** @type {string} */ value) => tryOut("theme", value)}
      options=${[["auto", t("as_system")], ["light", t("light")], ["dark", t("dark")]]} />
  </div>`;
}

/** What was chosen before there was an account is kept with it, and the page is filled. */
async function begin() {
  for (const name of ["language", "theme"]) {
    const value = settings.value[name];
    if (value) await call("set_setting", { name, value });
  }
  await enter();
}

/**
 * An invitation may be pasted with the link: `subrosa://… CODE`.
 * @param {string} text
 */
function split(text) {
  const [link, code] = text.trim().split(/\s+/);
  return { link: link ?? "", code: code ?? "" };
}

/** @param {{server: string, hosted: boolean, onBack: () => void}} props */
function SignUp({ server, hosted, onBack }) {
  const [link, setLink] = useState(server);
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [email, setEmail] = useState("");
  const [invite, setInvite] = useState("");
  const [setup, setSetup] = useState("");
  const [device, setDevice] = useState("");
  const [vault, setVault] = useState(true);
  const [tried, setTried] = useState(false);
  const action = useAction();
  const differ = tried && password !== again ? t("passwords_differ") : "";
  const submit = (/** @type {globalThis.Event} */ event) => {
    event.preventDefault();
    setTried(true);
    if (password !== again || password === "") return;
    void action.run(async () => {
      const given = split(link);
      await call("sign_up", {
        server: given.link,
        username: name.trim(),
        password,
        email: email.trim() || null,
        invite: invite.trim() || given.code || null,
        setup: setup.trim() || null,
        vault,
        device: device.trim(),
      });
      await begin();
    });
  };
  return html`<form onSubmit=${submit} aria-labelledby="sign-up-title">
    <h2 id="sign-up-title">${t(hosted ? "sign_up_hosted" : "sign_up")}</h2>
    ${hosted && html`<p class="quiet">${t("hosted_note")}</p>`}
    <${Field} label=${t("server_link")} hint=${t("server_link_hint")} value=${link} onInput=${setLink} required dir="ltr" autocapitalize="none" spellcheck=${false} readOnly=${hosted} />
    <${Field} label=${t("username")} hint=${t("username_hint")} value=${name} onInput=${setName} required autocomplete="username" autocapitalize="none" spellcheck=${false} />
    <${Field} label=${t("password")} hint=${t("password_hint")} type="password" value=${password} onInput=${setPassword} required autocomplete="new-password" />
    <${Field} label=${t("password_again")} type="password" value=${again} onInput=${setAgain} required autocomplete="new-password" error=${differ} />
    ${!hosted && html`<${Field} label=${t("invite_code")} hint=${t("invite_code_hint")} value=${invite} onInput=${setInvite} dir="ltr" autocomplete="off" autocapitalize="none" spellcheck=${false} />`}
    <details class="more"><summary>${t("more_choices")}</summary>
      ${!hosted && html`<${Field} label=${t("setup_code")} hint=${t("setup_code_hint")} value=${setup} onInput=${setSetup} dir="ltr" autocomplete="off" autocapitalize="none" spellcheck=${false} />`}
      <${Field} label=${t("email")} hint=${t("email_hint")} type="email" value=${email} onInput=${setEmail} dir="ltr" autocomplete="email" />
      <${Field} label=${t("device_name")} hint=${t("device_name_hint")} value=${device} onInput=${setDevice} />
      <${Tick} label=${t("vault")} hint=${t("vault_hint")} checked=${vault} onChange=${setVault} />
    </details>
    <${Trouble} text=${action.failed} />
    <div class="acts"><${Button} type="submit" tone="main" busy=${action.busy}>${action.busy ? t("signing_up") : t("sign_up")}<//>
      <${Button} onClick=${onBack}>${t("back")}<//></div>
  </form>`;
}

/** @param {{onBack: () => void}} props */
function LogIn({ onBack }) {
  const [link, setLink] = useState("");
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [device, setDevice] = useState("");
  const [reset, setReset] = useState(false);
  const action = useAction();
  const submit = (/** @type {globalThis.Event} */ event) => {
    event.preventDefault();
    void action.run(async () => {
      await call("log_in", {
        server: link.trim() || null,
        username: name.trim(),
        password,
        device: device.trim(),
        danger_reset_key: reset,
      });
      await begin();
    });
  };
  return html`<form onSubmit=${submit} aria-labelledby="log-in-title">
    <h2 id="log-in-title">${t("log_in")}</h2>
    <p class="quiet">${t("log_in_note")}</p>
    <${Field} label=${t("server_link")} hint=${t("server_link_hint")} value=${link} onInput=${setLink} required dir="ltr" autocapitalize="none" spellcheck=${false} />
    <${Field} label=${t("username")} value=${name} onInput=${setName} required autocomplete="username" autocapitalize="none" spellcheck=${false} />
    <${Field} label=${t("password")} type="password" value=${password} onInput=${setPassword} required autocomplete="current-password" />
    <${Field} label=${t("device_name")} hint=${t("device_name_hint")} value=${device} onInput=${setDevice} />
    <details class="more"><summary>${t("lost_key")}</summary>
      <${Tick} label=${t("reset_key")} hint=${t("reset_key_hint")} checked=${reset} onChange=${setReset} />
    </details>
    <${Trouble} text=${action.failed} />
    <div class="acts"><${Button} type="submit" tone=${reset ? "danger-main" : "main"} busy=${action.busy}>${action.busy ? t("logging_in") : t("log_in")}<//>
      <${Button} onClick=${onBack}>${t("back")}<//></div>
  </form>`;
}
