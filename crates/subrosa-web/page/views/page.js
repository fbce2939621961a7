// @ts-check
// The frame of a page in the middle: its head, parts to choose from, and a body that scrolls.

import { useEffect, useRef } from "../vendor/hooks.js";
import { t } from "../strings/index.js";
import { go } from "../state/route.js";
import { IconButton } from "../parts/controls.js";
import { html } from "../parts/html.js";

/** @param {{title: string, note?: any, tools?: any, parts?: [string, string][], part?: string, page?: string, children: any}} props */
export function Page({ title, note, tools, parts, part, page, children }) {
  const nav = useRef(/** @type {HTMLElement | null} */ (null));
  // On a narrow screen the parts scroll sideways: the present one is shown.
  useEffect(() => nav.current?.querySelector("[aria-current]")?.scrollIntoView({ inline: "nearest", block: "nearest" }), [part]);
  return html`<div class="page">
    <header class="head">
      <${IconButton} icon="back" label=${t("back_to_chats")} class="narrow-only" onClick=${() => go({ page: "home" })} />
      <div class="head-text"><h1 tabindex="-1">${title}</h1>${note && html`<p class="quiet">${note}</p>`}</div>
      ${tools && html`<div class="head-tools">${tools}</div>`}
    </header>
    ${parts &&
    html`<nav class="parts" ref=${nav} aria-label=${title}>
      ${parts.map(
        ([key, text]) => html`<a key=${key} href=${`#/${page}${key ? `/${key}` : ""}`} aria-current=${part === key ? "page" : undefined}>${text}</a>`,
      )}
    </nav>`}
    <div class="page-body">${children}</div>
  </div>`;
}
